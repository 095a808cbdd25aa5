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
const FINE = 20; // levels by which pixels of a fine pattern differ from their neighbors' mean
const SHARP = 0.75; // that difference, as a share of the one between neighbors
const SCREEN = 0.25; // share of flat cells, from which on a picture may be a screen
const DRAWN = 0.05; // share of the flat cells that are drawn then
const DRAWN_CELLS = 4; // which do where most cells are flat
const PATTERN = 0.2; // share of cells with a fine pattern, from which on it is one
const MOSTLY = 0.5; // share of flat cells, from which on lossless coding is worth a try

/**
 * @typedef {{width: number, height: number, rgba: ArrayLike<number>}} Opaque
 *
 * @param {Opaque} picture
 * @returns {{isDrawn: boolean, isFlat: boolean}} isDrawn: whether it looks like a screenshot, a
 *   drawing or a fine pattern. isFlat: whether most of it is flat, drawn or not.
 */
export function look({ width, height, rgba }) {
  const [rows, columns] = [height, width].map((side) => Math.ceil(side / CELL));
  let [flat, drawn, fine] = [0, 0, 0];
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
      if (isFine(box, 4) || isFine(box, 4 * width)) fine++;
    }
  }
  const cells = rows * columns;
  const isFlat = flat >= MOSTLY * cells;
  const isScreen = flat >= SCREEN * cells && drawn > 0 && drawn >= DRAWN * flat;
  const isDrawn = isScreen || (isFlat && drawn >= DRAWN_CELLS) || fine >= PATTERN * cells;
  return { isDrawn, isFlat };
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
