// The scan and its label map on one canvas, drawn by NiiVue. Bound by viewer.rs.
//
// NiiVue is loaded on first use: the page is readable and the worker starts before its 3 MB are there.

const NIIVUE = new URL("vendor/niivue.js", document.baseURI).href;

// NiiVue's enumerations, by their meaning.
const VIEWS = { axial: 0, coronal: 1, sagittal: 2, all: 3, planes: 3, mosaic: 0, render: 4 };
const LAYOUT_GRID = 2;
const RENDER_NEVER = 0;
const RENDER_ALWAYS = 1;
const DRAG_CONTRAST = 1;

const BACKGROUND = [0.043, 0.055, 0.075, 1];
const CROSSHAIR = [0.36, 0.78, 0.95, 0.9];

// Axial slices of a mosaic.
const MOSAIC = { rows: 3, columns: 4 };

// Steps of the crosshair, in voxels to the right, front and top, for each key.
const STEPS = {
  ArrowLeft: [-1, 0, 0],
  ArrowRight: [1, 0, 0],
  ArrowUp: [0, 1, 0],
  ArrowDown: [0, -1, 0],
  PageUp: [0, 0, 1],
  PageDown: [0, 0, -1],
};

export class Viewer {
  /**
   * Starts NiiVue on `canvas`. As the crosshair moves `onLocation(x, y, z, value, label, i, j, k)` is called, with the index of the
   * voxel in the file; as other values become black and white `onRange(black, white)`.
   */
  static async attach(canvas, onLocation, onRange) {
    const { Niivue, NVImage } = await import(NIIVUE);
    const niivue = new Niivue({
      backColor: BACKGROUND,
      crosshairColor: CROSSHAIR,
      crosshairWidth: 0.3,
      crosshairGap: 4,
      show3Dcrosshair: false,
      dragAndDropEnabled: false,
      isOrientCube: false,
      multiplanarLayout: LAYOUT_GRID,
      multiplanarShowRender: RENDER_ALWAYS,
      multiplanarPadPixels: 4,
      sliceType: VIEWS.all,
      dragMode: DRAG_CONTRAST,
      isRadiologicalConvention: false,
      fontSizeScaling: 0.35,
      fontMinPx: 15,
      logLevel: "error",
      loadingText: "",
      scrollRequiresFocus: true,
    });
    await niivue.attachToCanvas(canvas, true);
    return new Viewer(canvas, niivue, NVImage, onLocation, onRange);
  }

  constructor(canvas, niivue, NVImage, onLocation, onRange) {
    this.canvas = canvas;
    this.onRange = onRange;
    this.view = "all";
    this.niivue = niivue;
    this.NVImage = NVImage;
    this.scan = null;
    this.labels = null;
    this.newest = 0;
    this.opacity = 0.6;
    this.queue = Promise.resolve();
    niivue.onLocationChange = ({ mm, values }) => {
      const value = values?.[0]?.value ?? NaN;
      const label = this.labels && !this.labels.isMap ? (values?.[1]?.value ?? 0) : -1;
      onLocation(mm[0], mm[1], mm[2], value, label, ...this.#voxel(mm));
    };
    niivue.onIntensityChange = (volume) => volume === this.scan && this.#sayRange();
    // NiiVue's own single-letter shortcuts would surprise somebody who only tabs through.
    canvas.addEventListener("keydown", (event) => this.#key(event), { capture: true });
    canvas.addEventListener("keyup", (event) => event.stopImmediatePropagation(), { capture: true });
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
  }

  /** Shows `bytes`, a NIfTI file, in place of whatever was there. */
  showScan(bytes, name) {
    return this.#inTurn(async () => {
      const scan = await this.NVImage.new(bytes.buffer, name);
      this.#remove(this.labels);
      this.#remove(this.scan);
      this.labels = null;
      this.scan = scan;
      this.niivue.addVolume(scan);
      this.niivue.scene.crosshairPos = [0.5, 0.5, 0.5];
      this.#layOut();
      this.#settle();
      this.#sayRange();
    });
  }

  /**
   * Shows `bytes`, a NIfTI label map, over the scan, unless another one has come before it is its turn.
   * `key` is `{ I, R, G, B, A, labels }`; `voxels`, if there are any, take the place of the file's.
   */
  showLabels(bytes, name, key, voxels) {
    const turn = ++this.newest;
    return this.#inTurn(async () => {
      if (turn !== this.newest) return;
      const labels = await this.NVImage.new(bytes.buffer, name);
      if (voxels) labels.img.set(voxels);
      labels.setColormapLabel(key);
      this.#lay(labels);
    });
  }

  /**
   * Shows `bytes`, a NIfTI file of colours or of numbers drawn from `low` to `high`, over the scan in place of labels; it may have a
   * grid of its own. Numbers below `low` are not drawn.
   */
  showMap(bytes, name, low, high) {
    const turn = ++this.newest;
    return this.#inTurn(async () => {
      if (turn !== this.newest) return;
      const map = await this.NVImage.new(bytes.buffer, name);
      if (low < high) {
        map.colormap = "inferno";
        Object.assign(map, { cal_min: low, cal_max: high });
      }
      map.isMap = true;
      this.#lay(map);
    });
  }

  /** Numbers of the map below `low` are not drawn. */
  setLowest(low) {
    if (!this.labels?.isMap) return;
    this.labels.cal_min = low;
    this.niivue.updateGLVolume();
  }

  /** Brings the crosshair to a place in the world. */
  goTo(x, y, z) {
    if (!this.scan) return;
    this.niivue.scene.crosshairPos = this.niivue.mm2frac([x, y, z]);
    this.niivue.drawScene();
    this.niivue.createOnLocationChange();
  }

  /** Takes the label map away. */
  clearLabels() {
    this.newest++;
    return this.#inTurn(async () => {
      if (!this.labels) return;
      this.#remove(this.labels);
      this.labels = null;
      this.#settle();
    });
  }

  /** Shows one of `VIEWS`. */
  setView(view) {
    this.view = view;
    this.#layOut();
  }

  /** Draws these values of the scan as black and as white. */
  setRange(black, white) {
    if (!this.scan) return;
    Object.assign(this.scan, { cal_min: black, cal_max: white });
    this.niivue.updateGLVolume();
    this.#sayRange();
  }

  /** Draws as black and as white what the viewer chose when the scan came. */
  resetRange() {
    if (this.scan) this.setRange(this.scan.robust_min, this.scan.robust_max);
  }

  /** What is on screen, as a PNG. */
  async picture() {
    // The canvas keeps a drawing no longer than the task that made it.
    this.niivue.drawScene();
    const blob = await new Promise((done) => this.canvas.toBlob(done, "image/png"));
    return new Uint8Array(await blob.arrayBuffer());
  }

  /** Recolours the label map, which is also how one label is hidden. */
  setKey(key) {
    if (!this.labels || this.labels.isMap) return;
    this.labels.setColormapLabel(key);
    this.niivue.updateGLVolume();
  }

  /** How strongly the label map covers the scan, 0 to 1. */
  setOpacity(opacity) {
    this.opacity = opacity;
    if (this.labels) this.niivue.setOpacity(1, opacity);
  }

  // A file is decoded in several steps; two at a time would mix up which lies over which.
  #inTurn(action) {
    const done = this.queue.then(action);
    this.queue = done.catch(() => {});
    return done;
  }

  #remove(volume) {
    if (volume) this.niivue.removeVolume(volume);
  }

  /** Over the scan, in place of what was there. */
  #lay(labels) {
    labels.opacity = this.opacity;
    this.#remove(this.labels);
    this.labels = labels;
    this.niivue.addVolume(labels);
    this.#settle();
  }

  #sayRange() {
    this.onRange(this.scan.cal_min, this.scan.cal_max);
  }

  /** Index along x, y and z of the file of the voxel at a place in the world. */
  #voxel(mm) {
    const { permRAS, dimsRAS } = this.scan;
    // NiiVue counts along axes that run to the right, front and top.
    const there = this.scan.mm2vox(mm);
    const voxel = [0, 0, 0];
    permRAS.forEach((axis, i) => {
      voxel[Math.abs(axis) - 1] = axis > 0 ? there[i] : dimsRAS[i + 1] - 1 - there[i];
    });
    return voxel;
  }

  #layOut() {
    this.niivue.opts.multiplanarShowRender = this.view === "planes" ? RENDER_NEVER : RENDER_ALWAYS;
    this.niivue.sliceMosaicString = this.view === "mosaic" && this.scan ? this.#mosaic() : "";
    this.niivue.setSliceType(VIEWS[this.view] ?? VIEWS.all);
  }

  /** Axial slices from the top down, as NiiVue is told them. */
  #mosaic() {
    const { rows, columns } = MOSAIC;
    const count = rows * columns;
    const height = (slice) => this.niivue.frac2mm([0.5, 0.5, 1 - (slice + 0.5) / count], 0, true)[2].toFixed(3);
    const row = (_, row) => Array.from({ length: columns }, (_, column) => height(row * columns + column)).join(" ");
    return `A ${Array.from({ length: rows }, row).join(" ; ")}`;
  }

  #settle() {
    this.niivue.updateGLVolume();
    this.niivue.createOnLocationChange();
  }

  #key(event) {
    const step = STEPS[event.key];
    if (step) {
      this.niivue.moveCrosshairInVox(...step);
      this.niivue.createOnLocationChange();
      event.preventDefault();
    }
    if (event.key !== "Tab") event.stopImmediatePropagation();
  }
}
