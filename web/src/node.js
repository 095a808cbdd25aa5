/** The package in Node: as index.js, and models and workers from disk. */

export * from "./index.js";
export { folderModels, packageModels } from "./node_models.js";
export { nodeWorkers } from "./node_workers.js";
