import type { KernelObject } from "../kernel/kernel.ts";

/** One step of the script: a heading, what has to be in the kernel, and the commands that make it so. */
export interface ScriptPart {
  readonly title: string;
  readonly objects: readonly KernelObject[];
  readonly commands: readonly string[];
}

/** The first lines of every script. */
export const scriptFrame: readonly string[] = ["#!/bin/sh", "set -eu"];
