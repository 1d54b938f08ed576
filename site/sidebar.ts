/** The way through the site: the headings and links of docs/README.md, in their order. */
import { readFileSync } from "node:fs";
import { headingsOf, linksOf, resolveLink } from "../scripts/markdown.ts";
import { pageOf } from "./assemble.ts";

const CONTENTS = "docs/README.md";

export interface SidebarPart {
  readonly text: string;
  readonly items: { readonly text: string; readonly link: string }[];
}

export function sidebar(): SidebarPart[] {
  const markdown = readFileSync(new URL(`../${CONTENTS}`, import.meta.url), "utf8");
  const sections = markdown.split(/^(?=## )/m).slice(1);
  return sections.map((section) => ({
    text: headingsOf(section)[0]?.text ?? "",
    items: linksOf(section).flatMap(({ text, target, isPicture }) => {
      const page = pageOf(resolveLink(CONTENTS, target).path);
      return page === undefined || isPicture ? [] : [{ text, link: `/${page.replace(/(index)?\.md$/, "")}` }];
    }),
  }));
}
