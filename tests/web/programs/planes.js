/**
 * node planes.js FILE: [{body, width, height}] and the numbers of profiles of a JSON file -> base64
 * of each plane of opacity, null where it is refused, and of each ICC profile.
 */

import { readFileSync } from "node:fs";

import { decodeAlpha } from "../../../web/src/alpha.js";
import { knownProfile } from "../../../web/src/icc.js";

const base64 = (bytes) => (bytes ? Buffer.from(bytes).toString("base64") : null);
const { bodies, profiles } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const planes = bodies.map(({ body, width, height }) => {
  try {
    return base64(decodeAlpha(new Uint8Array(Buffer.from(body, "base64")), width, height));
  } catch (error) {
    if (error.kind !== "format") throw error;
    return null;
  }
});
console.log(JSON.stringify({ planes, profiles: profiles.map((n) => base64(knownProfile(n))) }));
