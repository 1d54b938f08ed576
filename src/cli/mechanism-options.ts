/** Options of `agent` and `doctor` that come from the mechanisms. */
import type { Command } from "commander";
import { NetloomError } from "../errors/errors.ts";
import { MECHANISMS } from "../mechanisms/list.ts";
import type { HostOption, Settings } from "../mechanisms/mechanism-type.ts";
import { option } from "./command.ts";

/**
 * Adds one option for each setting of a mechanism. `absent` returns the default for its help: `that of the agent here,
 * or 4789`.
 */
export function addMechanismOptions(command: Command, absent: (each: HostOption) => string): Command {
  for (const each of allOptions()) {
    const { name, argument, about } = each;
    command.addOption(
      option(`--${name} <${argument}>`, `${about} (default: ${absent(each)})`).argParser(Number),
    );
  }
  return command;
}

/** The given values by type of mechanism. INVALID_ARGUMENT for text that is not a number, or a number out of range. */
export function readMechanismOptions(command: Command): Record<string, Settings> {
  const settings: Record<string, Record<string, number>> = {};
  for (const { type, options } of MECHANISMS)
    for (const each of options) {
      const value = given(command, each);
      if (value !== undefined) (settings[type] ??= {})[each.key] = value;
    }
  return settings;
}

/** The given values by name of the option. */
export function readByName(command: Command): Record<string, number> {
  return Object.fromEntries(
    allOptions().flatMap((each) => {
      const value = given(command, each);
      return value === undefined ? [] : [[each.name, value]];
    }),
  );
}

function allOptions(): HostOption[] {
  return MECHANISMS.flatMap(({ options }) => options);
}

function given(command: Command, { name, least, most }: HostOption): number | undefined {
  const key = name.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
  const value: unknown = command.getOptionValue(key);
  if (value === undefined) return undefined;
  if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= most) return value;
  throw new NetloomError("INVALID_ARGUMENT", `--${name}: expected a number from ${least} to ${most}`);
}
