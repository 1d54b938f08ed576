/** A workload of a lab, by its name there. */
import { pathKey, watchPath } from "../netns/netns.ts";
import type { AskedHost, Resolver } from "../resolver.ts";
import { labPlacePath, labPlaceProblem } from "./places.ts";

export const lab: Readonly<Resolver<string>> = {
  type: "lab",
  form: "lab/host/workload",
  leadsTo: "netns",
  about: "by its name in a lab",
  schema: (z) => z.string().describe("lab/host/workload"),
  problem: labPlaceProblem,
  key: (place) => pathKey(labPlacePath(place)),
  text: (place) => place,
  label: (place) => place.split("/")[2] ?? place,
  spellings: [
    {
      form: () => "lab/host/workload",
      read: (text, asked) => {
        const place = placeIn(text.split("/"), asked);
        const value = place.join("/");
        const [name = "", host = ""] = place;
        return labPlaceProblem(value) === undefined ? { value, at: { lab: name, host } } : undefined;
      },
    },
  ],
  folders: [],
  watch: (place, outside) => watchPath(labPlacePath(place), outside),
};

/** Lab, host and workload; fewer if something is missing or contradicts an option. */
function placeIn(parts: readonly string[], { lab: asked, host }: AskedHost): readonly string[] {
  const given = [asked, host].slice(0, 3 - parts.length);
  const place = [...given, ...parts].filter((part) => part !== undefined);
  const agrees = (option: string | undefined, part: string | undefined): boolean =>
    option === undefined || option === part;
  return agrees(asked, place[0]) && agrees(host, place[1]) ? place : [];
}
