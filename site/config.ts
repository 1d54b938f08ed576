/** docs/ as static pages (`make site`): nothing is fetched from elsewhere, neither when it is built nor when it is read. */
import { defineConfig } from "vitepress";
import { slugOf } from "../scripts/markdown.ts";
import { assemble } from "./assemble.ts";
import { sidebar } from "./sidebar.ts";

assemble();

/** Blocks of `console`: the prompt is faint, the command blue, and what it prints plain. A command may have several lines. */
const CONSOLE = {
  name: "console",
  scopeName: "source.console",
  patterns: [
    {
      begin: "^((?:alpha|beta|gamma)?\\$) ",
      beginCaptures: { 1: { name: "comment" } },
      end: "(?<!\\\\)\\n",
      name: "constant",
    },
  ],
  repository: {},
};

export default defineConfig({
  title: "Netloom",
  description: "A network service mesh for Linux: any workload gets the connectivity that it asks for",
  lang: "en",
  srcDir: ".cache/pages",
  outDir: "dist",
  cacheDir: ".cache/vitepress",
  head: [["link", { rel: "icon", href: "data:," }]],
  // Anchors are those of GitHub, so that a link works in both. Text such as <wire> is no HTML.
  markdown: {
    html: false,
    languages: [CONSOLE],
    anchor: { slugify: slugOf },
    // Nor is `{{ .label }}` a template of the generator's.
    config: (md) => {
      md.renderer.rules.code_inline = (tokens, index) =>
        `<code v-pre>${md.utils.escapeHtml(tokens[index]?.content ?? "")}</code>`;
    },
  },
  vite: {
    build: { assetsInlineLimit: 0, chunkSizeWarningLimit: 2000 },
    esbuild: { tsconfigRaw: {} },
  },
  themeConfig: {
    sidebar: sidebar(),
    outline: [2, 3],
    search: { provider: "local" },
    externalLinkIcon: true,
  },
});
