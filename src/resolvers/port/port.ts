/** An existing device of the host: a physical port, a VM's TAP, the host's side of a container's veth. */
import { NetloomError } from "../../errors/errors.ts";
import { portRefusal, whyPortDown } from "../../kernel/port.ts";
import { interfaceNameProblem } from "../../net/interface-name.ts";
import { quote } from "../../text/problem.ts";
import type { Found, Outside, Resolver } from "../resolver.ts";

/** Interval of checks: the event of a rename carries only the new name. */
const CHECK_MS = 2_000;

const PREFIX = "port:";

export const port: Readonly<Resolver<string>> = {
  type: "port",
  form: "device",
  leadsTo: "port",
  about: "by name",
  schema: (z) => z.string().describe("Name of an existing device of this host, such as a TAP: tap0."),
  problem: portProblem,
  key: (device) => `port ${device}`,
  text: (device) => `port ${device}`,
  label: (device) => device,
  spellings: [
    {
      form: () => `${PREFIX}tap0`,
      about: "a device of the host",
      read: (text) => (text.startsWith(PREFIX) ? { value: text.slice(PREFIX.length) } : undefined),
    },
  ],
  folders: [],
  watch: (device, outside) => ({
    look: () => look(device, outside),
    checkMs: CHECK_MS,
    isOver: false,
    close: () => undefined,
  }),
};

function portProblem(device: string): string | undefined {
  if (device === "lo") return '"lo" leads only to this host itself; name a device with a machine behind it';
  const problem = interfaceNameProblem(device);
  return problem === undefined ? undefined : `the device name ${quote(device)} ${problem}`;
}

async function look(device: string, { kernel }: Outside): Promise<Found> {
  const identity = await kernel.resolve("host");
  const [facts] = await kernel.devices([{ netns: "host", link: device }]);
  if (!facts) throw new NetloomError("NOT_FOUND", `this host has no device ${device}`);
  const refused = portRefusal(device, facts);
  if (refused) throw refused;
  const { index: ifindex, mtuBytes } = facts;
  const whyDown = whyPortDown(device, facts);
  const condition = { mtuBytes, ...(whyDown !== undefined && { whyDown }) };
  return { type: "port", identity, device, ifindex, condition };
}
