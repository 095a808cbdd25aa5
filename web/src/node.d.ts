/** Types of the package in Node. */

import type { Models, Workers } from "./index.js";

export * from "./index.js";

/** The models of the package; in a checkout those of `src/latentpress`. */
export function packageModels(): Models;

/** Models of folders that are looked through in turn, each with a slash at its end. */
export function folderModels(folders: string[]): Models;

/** Worker threads, the same for the same count: `decode` keeps them for later pictures. */
export function nodeWorkers(count: number): Workers;
