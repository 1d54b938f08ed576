// The generator would bundle the configuration and its imports, and know less TypeScript than Node does.
const { default: config } = await import(new URL("../config.ts", import.meta.url).href);
export default config;
