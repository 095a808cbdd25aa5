/**
 * What a look at a few rows of each cell says of a picture, as Python's `content/features.py`
 * looks: screens are flat with sharp edges, fine patterns change from pixel to pixel, photographs
 * do neither.
 */

const CELL = 32; // pixels a side
const ROW = 14; // of a cell: the first that is looked at
const HEIGHT = 4; // rows that are looked at
const FLAT = 0.4; // share of pixels that equal both neighbors, from which on a cell is flat
const EDGE = 48; // levels between neighbors of a sharp edge
const EDGES = 0.02; // share of pixels at sharp edges, from which on a flat cell is drawn
const BUSY = 0.1; // that share, from which on a cell is busy
const FINE = 20; // levels by which pixels of a fine pattern differ from their neighbors' mean
const SHARP = 0.75; // that difference, as a share of the one between neighbors
const SCREEN = 0.25; // share of flat cells, from which on a picture may be a screen
const DRAWN = 0.05; // share of the flat cells that are drawn then
const DRAWN_CELLS = 4; // which do where most cells are flat
// share of cells with a fine pattern, from which on the picture is one: leaves and tiles take .32
const PATTERN = 0.5;
const MOSTLY = 0.5; // share of flat cells, from which on lossless coding is worth a try
const WRITTEN = 0.2; // share of busy cells, from which on a picture may be written
const SAMPLED = 16; // cells whose ground is looked for
const GROUND = 16; // levels of green that a ground spans
const GROUNDED = 0.4; // share of a cell's pixels there
const MOSTLY_GROUNDED = 0.9; // share of the busy cells that have a ground in what is written
const MOSTLY_PAPER = 0.75; // share of the other cells that have its color

/**
 * @typedef {{width: number, height: number, rgba: ArrayLike<number>}} Opaque
 *
 * @param {Opaque} picture
 * @returns {{isDrawn: boolean, isFlat: boolean, isWritten: boolean}} isDrawn: whether it looks like
 *   a screenshot, a drawing or a fine pattern. isFlat: whether most of it is flat, drawn or not.
 *   isWritten: whether it is lettering on paper, which may have noise.
 */
export function look(picture) {
  const { width, height, rgba } = picture;
  const [rows, columns] = [height, width].map((side) => Math.ceil(side / CELL));
  let [flat, drawn, fine] = [0, 0, 0];
  /** @type {[number, number][][]} */
  const [busy, others] = [[], []];
  for (let b = 0; b < rows; b++) {
    const end = Math.min(CELL * (b + 1), height);
    const top = Math.max(CELL * b, Math.min(CELL * b + ROW, end - HEIGHT));
    const bottom = Math.min(top + HEIGHT, end);
    for (let a = 0; a < columns; a++) {
      const [left, right] = [CELL * a, Math.min(CELL * (a + 1), width)];
      const box = { rgba, width, left, right, top, bottom };
      const { equal, edges } = stepsOf(box);
      if (equal >= FLAT) flat++;
      if (equal >= FLAT && edges >= EDGES) drawn++;
      (edges >= BUSY ? busy : others).push([b, a]);
      if (isFine(box, 4) || isFine(box, 4 * width)) fine++;
    }
  }
  const cells = rows * columns;
  const isFlat = flat >= MOSTLY * cells;
  const isScreen = flat >= SCREEN * cells && drawn > 0 && drawn >= DRAWN * flat;
  const isDrawn = isScreen || (isFlat && drawn >= DRAWN_CELLS) || fine >= PATTERN * cells;
  return { isDrawn, isFlat, isWritten: isWritten(picture, busy, others) };
}

/**
 * @param {Opaque} picture
 * @param {[number, number][]} busy rows and columns of the cells with many sharp edges
 * @param {[number, number][]} others those of the other cells
 */
function isWritten(picture, busy, others) {
  if (busy.length < WRITTEN * (busy.length + others.length)) return false;
  const grounds = sampled(busy).map((cell) => groundOf(greenOf(picture, cell)));
  const found = grounds.filter(({ share }) => share >= GROUNDED).length;
  if (found < MOSTLY_GROUNDED * grounds.length) return false;
  const middle = median(grounds.map(({ first }) => first));
  const levels = sampled(others).map((cell) => median(greenOf(picture, cell)));
  const paper = levels.filter((v) => v >= middle - GROUND && v <= middle + 2 * GROUND).length;
  return paper >= MOSTLY_PAPER * levels.length;
}

/** @param {[number, number][]} cells */
function sampled(cells) {
  const step = Math.ceil(cells.length / SAMPLED);
  return cells.filter((_, i) => i % step === 0);
}

/**
 * @param {Opaque} picture
 * @param {[number, number]} cell
 */
function greenOf({ width, height, rgba }, [b, a]) {
  const [bottom, right] = [Math.min(CELL * (b + 1), height), Math.min(CELL * (a + 1), width)];
  const green = [];
  for (let y = CELL * b; y < bottom; y++) {
    for (let x = CELL * a; x < right; x++) green.push(rgba[4 * (y * width + x) + 1]);
  }
  return green;
}

/**
 * @param {number[]} green
 * @returns {{first: number, share: number}} the first of the levels within which most are
 */
function groundOf(green) {
  const counts = new Array(256 + GROUND).fill(0);
  for (const level of green) counts[level]++;
  let within = 0;
  for (let level = 0; level < GROUND; level++) within += counts[level];
  let [most, first] = [within, 0];
  for (let level = 0; level < 255; level++) {
    within += counts[level + GROUND] - counts[level];
    if (within > most) [most, first] = [within, level + 1];
  }
  return { first, share: most / green.length };
}

/** @param {number[]} values */
function median(values) {
  const sorted = [...values].sort((one, other) => one - other);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/**
 * @typedef {object} Box what is looked at of a cell
 * @property {ArrayLike<number>} rgba
 * @property {number} width
 * @property {number} left
 * @property {number} right
 * @property {number} top
 * @property {number} bottom
 *
 * @param {Box} box
 * @returns {{equal: number, edges: number}} shares of the pixels that equal those to the left and
 *   above, and of those at a sharp edge
 */
function stepsOf({ rgba, width, left, right, top, bottom }) {
  let [equal, edges, count] = [0, 0, 0];
  for (let y = top + 1; y < bottom; y++) {
    for (let x = Math.max(left, 1); x < right; x++, count++) {
      const p = 4 * (y * width + x);
      let step = 0;
      for (let k = p; k < p + 3; k++) {
        const beside = Math.abs(rgba[k] - rgba[k - 4]);
        const above = Math.abs(rgba[k] - rgba[k - 4 * width]);
        step = Math.max(step, beside, above);
      }
      if (step === 0) equal++;
      if (step >= EDGE) edges++;
    }
  }
  return { equal: equal / Math.max(1, count), edges: edges / Math.max(1, count) };
}

/**
 * @param {Box} box
 * @param {number} next from a sample to that of the next pixel of a row or a column
 * @returns {boolean} whether a channel has a fine pattern along it
 */
function isFine({ rgba, width, left, right, top, bottom }, next) {
  const isRow = next === 4;
  const [across, down] = isRow ? [2, 0] : [0, 2];
  const [step, bend] = [[0, 0, 0], [0, 0, 0]];
  let count = 0;
  for (let y = top; y < bottom - down; y++) {
    for (let x = left; x < right - across; x++, count++) {
      const p = 4 * (y * width + x);
      for (let c = 0; c < 3; c++) {
        const [first, middle, last] = [rgba[p + c], rgba[p + c + next], rgba[p + c + 2 * next]];
        step[c] += Math.abs(first - middle);
        bend[c] += Math.abs(middle - (first + last) / 2);
      }
    }
  }
  return bend.some((sum, c) => sum >= FINE * count && sum >= SHARP * step[c] && count > 0);
}
