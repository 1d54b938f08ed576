import type { KernelObject } from "../kernel/kernel.ts";

/** One step of a script: a heading, the kernel objects, and the commands that make them. */
export interface ScriptPart {
  readonly title: string;
  readonly objects: readonly KernelObject[];
  readonly commands: readonly string[];
}

/** The first lines of every script. */
export const scriptFrame: readonly string[] = ["#!/bin/sh", "set -eu"];
