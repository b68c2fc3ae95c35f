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

const SINGLE_PLANES = ["axial", "coronal", "sagittal"];
const LAST_PLANE = 2;

const BACKGROUND = [0.043, 0.055, 0.075, 1];
const CROSSHAIR = [0.36, 0.78, 0.95, 0.9];

// Pixels of a picture in a report along its longer edge, at the most: 300 for an inch of paper.
const PICTURE_EDGE = 750;

// Of a plane: the axes that run across and up in it.
const AXES = { axial: [0, 1], coronal: [0, 2], sagittal: [1, 2] };

// Axial slices of a mosaic.
const MOSAIC = { rows: 3, columns: 4 };

// What a pen does, as viewer.rs has it.
const PEN = { begins: 0, moves: 1, ends: 2, picks: 3 };

// Steps of the crosshair, in voxels to the right, front and top, for each key.
const STEPS = {
  ArrowLeft: [-1, 0, 0],
  ArrowRight: [1, 0, 0],
  ArrowUp: [0, 1, 0],
  ArrowDown: [0, -1, 0],
  PageUp: [0, 0, 1],
  PageDown: [0, 0, -1],
};

/** Comes back once the page has been painted, or after a while where it is not, as in the background. */
const painted = () =>
  new Promise((resolve) => {
    requestAnimationFrame(() => setTimeout(resolve));
    setTimeout(resolve, 200);
  });

/** Has an image lie at `affine`. */
function place(image, affine) {
  image.hdr.affine = affine.map((row) => [...row]);
  image.calculateRAS();
}

/** Letters are read on whatever lies below them: each is drawn on a dark edge. */
function edgeLetters(niivue) {
  const draw = niivue.drawText.bind(niivue);
  niivue.drawText = ([x, y], ...text) => {
    const by = 1.5 * devicePixelRatio;
    for (const [right, down] of [[-by, 0], [by, 0], [0, -by], [0, by]]) draw([x + right, y + down], text[0], text[1], BACKGROUND);
    draw([x, y], ...text);
  };
}

export class Viewer {
  /**
   * Starts NiiVue on `canvas`. As the crosshair moves `onLocation(x, y, z, value, label, i, j, k)` is called, with the index of the
   * voxel in the file; as other values become black and white `onRange(black, white)`. While the labels are mended the pen is told by
   * `onPen(what, x, y, z, across)`, in voxels of the file, with the file's axis that the plane is across; and every key but those
   * that move the crosshair by `onKey(key, isControl, isShift, i, j, k, across)`, which says whether it was of use.
   */
  static async attach(canvas, onLocation, onRange, onPen, onKey) {
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
      fontColor: [1, 1, 1, 1],
      fontSizeScaling: 0.35,
      fontMinPx: 15,
      logLevel: "error",
      loadingText: "",
      scrollRequiresFocus: true,
    });
    await niivue.attachToCanvas(canvas, true);
    edgeLetters(niivue);
    return new Viewer(canvas, niivue, NVImage, { onLocation, onRange, onPen, onKey });
  }

  constructor(canvas, niivue, NVImage, { onLocation, onRange, onPen, onKey }) {
    Object.assign(this, { canvas, onRange, onPen, onKey });
    this.view = "all";
    this.niivue = niivue;
    this.NVImage = NVImage;
    this.scan = null;
    this.labels = null;
    // The newest of what was to lie over the scan, and which of them does. The page calls labels what those of the newest are called: while
    // that is on its way nothing is said of what is there yet.
    this.newest = 0;
    this.shown = 0;
    this.opacity = 0.6;
    // Whether the labels are NiiVue's drawing in place of a volume of their own: a box of it can be changed alone.
    this.isMending = false;
    // Where the pen is down, and the tile of the plane that it began in.
    this.pen = null;
    this.penMm = 0;
    this.plane = 0;
    this.isDrawn = true;
    this.queue = Promise.resolve();
    niivue.onLocationChange = ({ mm, values }) => {
      const value = values?.[0]?.value ?? NaN;
      const isNewest = this.shown === this.newest;
      const isShown = isNewest && this.labels && !this.labels.isMap;
      const label = isNewest && this.isMending ? this.#drawnLabel() : isShown ? (values?.[1]?.value ?? 0) : -1;
      onLocation(mm[0], mm[1], mm[2], value, label, ...this.#voxel(mm));
    };
    niivue.onIntensityChange = (volume) => volume === this.scan && this.#sayRange();
    // NiiVue's own single-letter shortcuts would surprise somebody who only tabs through.
    canvas.addEventListener("keydown", (event) => this.#key(event), { capture: true });
    canvas.addEventListener("keyup", (event) => event.stopImmediatePropagation(), { capture: true });
    this.ring = canvas.parentElement.appendChild(document.createElement("span"));
    Object.assign(this.ring, { className: "pen-ring", hidden: true });
    const whilePenIsDown = (event) => {
      if (!this.pen) return;
      event.stopImmediatePropagation();
      if (event.cancelable) event.preventDefault();
    };
    // What NiiVue would take for a click or drag of its own.
    for (const kind of ["mousedown", "mousemove", "touchstart", "touchmove"]) {
      canvas.addEventListener(kind, whilePenIsDown, { capture: true, passive: false });
    }
    canvas.addEventListener("dblclick", (event) => this.isMending && event.stopImmediatePropagation(), { capture: true });
    canvas.addEventListener("pointerdown", (event) => this.#penDown(event));
    canvas.addEventListener("pointermove", (event) => this.#penMoves(event));
    for (const kind of ["pointerup", "pointercancel"]) canvas.addEventListener(kind, (event) => this.#penUp(event));
    canvas.addEventListener("pointerleave", () => (this.ring.hidden = true));
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
  }

  /**
   * Shows `bytes`, a NIfTI file, in place of whatever was there; `affine`, three rows of four numbers, is where it lies, if that is
   * not left to NiiVue.
   */
  showScan(bytes, name, affine) {
    return this.#inTurn(async () => {
      // Drawing a large scan takes a while where there is no graphics card: what the page says of the scan comes first.
      await painted();
      const scan = await this.NVImage.new(bytes.buffer, name).catch((problem) => {
        // Another scan's picture would be taken for this one's, and labels would be laid over it.
        this.#leaveMending();
        this.scan = null;
        this.#hold(null);
        this.niivue.updateGLVolume();
        throw problem;
      });
      // As NiiVue reads it, which is how it reads whatever is written on the same grid.
      this.readAffine = String(scan.hdr.affine);
      if (affine) place(scan, [0, 4, 8].map((row) => [...affine.subarray(row, row + 4)]).concat([[0, 0, 0, 1]]));
      this.#leaveMending();
      this.scan = scan;
      this.niivue.scene.crosshairPos = [0.5, 0.5, 0.5];
      this.#stack(null);
      this.#layOut();
      this.#reachGoal();
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
      if (turn !== this.newest || !this.scan) return;
      const labels = this.#onGrid(await this.NVImage.new(bytes.buffer, name));
      if (voxels) labels.img.set(voxels);
      labels.setColormapLabel(key);
      this.shown = turn;
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
      if (turn !== this.newest || !this.scan) return;
      const map = this.#onGrid(await this.NVImage.new(bytes.buffer, name));
      if (low < high) {
        map.colormap = "inferno";
        Object.assign(map, { cal_min: low, cal_max: high });
      }
      map.isMap = true;
      this.shown = turn;
      this.#lay(map);
    });
  }

  /** Numbers of the map below `low` are not drawn. */
  setLowest(low) {
    if (!this.labels?.isMap) return;
    this.labels.cal_min = low;
    this.niivue.updateGLVolume();
  }

  /** Brings the crosshair to a place in the world, of a scan that is still to come as soon as it is there. */
  goTo(x, y, z) {
    this.goal = [x, y, z];
    if (this.scan) this.#reachGoal();
  }

  /** Scrolls the page no further than that all of the canvas is seen. */
  reveal() {
    this.canvas.parentElement.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  /** Takes the label map away. */
  clearLabels() {
    const turn = ++this.newest;
    return this.#inTurn(async () => {
      this.shown = turn;
      this.#leaveMending();
      if (this.labels) this.#stack(null);
    });
  }

  /** Shows these labels, a byte for each voxel of the file, in place of the label map, to be mended until another one is shown. */
  mend(voxels, key) {
    const turn = ++this.newest;
    return this.#inTurn(async () => {
      if (!this.scan) return;
      this.shown = turn;
      this.#hold(null);
      this.niivue.createEmptyDrawing();
      this.isMending = true;
      this.#put([0, 0, 0], this.#edges(), voxels);
      this.niivue.drawOpacity = this.opacity;
      // Which draws all anew.
      this.niivue.setDrawColormap(key);
      this.niivue.createOnLocationChange();
    });
  }

  /** Changes the labels of a box that begins at a voxel x, y, z of the file; `labels` has x fastest. */
  patch(x, y, z, columns, rows, slices, labels) {
    const put = () => {
      if (!this.isMending) return;
      this.#put([x, y, z], [columns, rows, slices], labels);
      this.#drawSoon();
    };
    // Before the drawing is there it would be lost.
    if (this.isMending) put();
    else this.#inTurn(async () => put());
  }

  /** Width of the ring around the pointer; 0 for none. */
  setPen(millimetres) {
    this.penMm = millimetres;
    this.ring.hidden = true;
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

  /**
   * Planes through the crosshair, whole and cut to what they show, as `data:` addresses of pictures; none without a scan. Each of
   * `planes` is a name and what is written at its left and at its top. What is on screen stays as it is.
   */
  pictures(planes) {
    return this.#inTurn(async () => {
      const { niivue } = this;
      if (!this.scan) return [];
      const { view } = this;
      const [...moved] = niivue.scene.pan2Dxyzmm;
      const hasLetters = niivue.opts.isOrientationTextVisible;
      // All in one task: nobody sees the screen meanwhile.
      try {
        niivue.scene.pan2Dxyzmm = [0, 0, 0, 1];
        niivue.opts.isOrientationTextVisible = false;
        return planes.map(([plane, ...letters]) => this.#plane(plane, letters));
      } finally {
        niivue.scene.pan2Dxyzmm = moved;
        niivue.opts.isOrientationTextVisible = hasLetters;
        this.setView(view);
      }
    });
  }

  #plane(plane, letters) {
    this.setView(plane);
    const { leftTopWidthHeight, fovMM } = this.niivue.screenSlices.find(({ axCorSag }) => axCorSag === VIEWS[plane]);
    const { dimsRAS, pixDimsRAS } = this.scan;
    // The scan lies in the middle of its tile, which has the shape of the window.
    const shares = AXES[plane].map((axis, i) => Math.min(1, (dimsRAS[axis + 1] * pixDimsRAS[axis + 1]) / Math.abs(fovMM[i])));
    const tile = [leftTopWidthHeight[2], leftTopWidthHeight[3]];
    const [width, height] = shares.map((share, i) => share * tile[i]);
    const [left, top] = shares.map((share, i) => leftTopWidthHeight[i] + ((1 - share) * tile[i]) / 2);
    const scale = Math.min(1, PICTURE_EDGE / Math.max(width, height));
    const picture = document.createElement("canvas");
    Object.assign(picture, { width: Math.round(width * scale), height: Math.round(height * scale) });
    const context = picture.getContext("2d");
    context.drawImage(this.canvas, left, top, width, height, 0, 0, picture.width, picture.height);
    const edge = Math.max(picture.width, picture.height) / 18;
    Object.assign(context, { font: `bold ${edge}px sans-serif`, fillStyle: "white", lineWidth: edge / 5, textAlign: "center", textBaseline: "middle" });
    [
      [0.7 * edge, picture.height / 2 - 0.8 * edge],
      [picture.width / 2 + 0.8 * edge, 0.8 * edge],
    ].forEach((place, i) => {
      context.strokeText(letters[i], ...place);
      context.fillText(letters[i], ...place);
    });
    return picture.toDataURL("image/png");
  }

  /** Recolours the label map, which is also how one label is hidden. */
  setKey(key) {
    const turn = this.newest;
    // What comes in the same moment has its own colours, and these may be those of its labels.
    setTimeout(() => {
      if (turn !== this.newest) return;
      if (this.isMending) this.niivue.setDrawColormap(key);
      if (!this.labels || this.labels.isMap) return;
      this.labels.setColormapLabel(key);
      this.niivue.updateGLVolume();
    });
  }

  /** How strongly the label map covers the scan, 0 to 1. */
  setOpacity(opacity) {
    this.opacity = opacity;
    if (this.isMending) this.niivue.setDrawOpacity(opacity);
    if (this.labels) this.niivue.setOpacity(1, opacity);
  }

  // A file is decoded in several steps; two at a time would mix up which lies over which.
  #inTurn(action) {
    const done = this.queue.then(action);
    this.queue = done.catch(() => {});
    return done;
  }

  /** What is written on the scan's grid lies where the scan does; what has a grid of its own where its file says. */
  #onGrid(image) {
    const hasShape = [1, 2, 3].every((axis) => image.hdr.dims[axis] === this.scan?.hdr.dims[axis]);
    if (hasShape && String(image.hdr.affine) === this.readAffine) place(image, this.scan.hdr.affine);
    return image;
  }

  /** Over the scan, in place of what was there. */
  #lay(labels) {
    labels.opacity = this.opacity;
    this.#leaveMending();
    this.#stack(labels);
  }

  /** Has NiiVue hold the scan and what lies over it, if anything does; it draws them at its next update. */
  #hold(labels) {
    this.labels = labels;
    const volumes = [this.scan, labels].filter(Boolean);
    Object.assign(this.niivue, { volumes, back: volumes[0] ?? null, overlays: volumes.slice(1) });
  }

  /**
   * Shows the scan and what lies over it, if anything does. NiiVue's own ways to add and to remove a volume make the textures of all of
   * them anew each time, which takes seconds for a large scan where there is no graphics card.
   */
  #stack(labels) {
    this.#hold(labels);
    this.niivue.updateGLVolume();
    this.niivue.createOnLocationChange();
  }

  #reachGoal() {
    if (!this.goal) return;
    this.niivue.scene.crosshairPos = this.niivue.mm2frac(this.goal);
    this.goal = null;
    this.niivue.drawScene();
    this.niivue.createOnLocationChange();
  }

  #sayRange() {
    this.onRange(this.scan.cal_min, this.scan.cal_max);
  }

  /** Index along x, y and z of the file of the voxel at a place in the world. */
  #voxel(mm) {
    return this.#ofFile(this.scan.mm2vox(mm));
  }

  /** A place in voxels of the file; NiiVue counts along axes that run to the right, front and top. */
  #ofFile(there) {
    const { permRAS, dimsRAS } = this.scan;
    const place = [0, 0, 0];
    permRAS.forEach((axis, i) => {
      place[Math.abs(axis) - 1] = axis > 0 ? there[i] : dimsRAS[i + 1] - 1 - there[i];
    });
    return place;
  }

  /** Voxels along x, y and z of the file. */
  #edges() {
    const { permRAS, dimsRAS } = this.scan;
    const edges = [0, 0, 0];
    permRAS.forEach((axis, i) => (edges[Math.abs(axis) - 1] = dimsRAS[i + 1]));
    return edges;
  }

  /** The file's axis that a plane is across. */
  #across(plane) {
    return Math.abs(this.scan.permRAS[2 - plane]) - 1;
  }

  /** Writes the labels of a box of the file into the drawing, where axes run as NiiVue's do. */
  #put(first, shape, labels) {
    const { niivue } = this;
    const { permRAS, dimsRAS } = this.scan;
    const [width, height] = [dimsRAS[1], dimsRAS[2]];
    // Of each axis of the drawing: how many voxels, from where on, and how far apart they are in `labels`.
    const steps = [1, shape[0], shape[0] * shape[1]];
    const [x, y, z] = [...permRAS].map((axis, i) => {
      const own = Math.abs(axis) - 1;
      const from = axis > 0 ? first[own] : dimsRAS[i + 1] - first[own] - shape[own];
      return { count: shape[own], from, step: axis > 0 ? steps[own] : -steps[own], start: axis > 0 ? 0 : (shape[own] - 1) * steps[own] };
    });
    const box = new Uint8Array(labels.length);
    let at = 0;
    for (let k = 0; k < z.count; k++) {
      for (let j = 0; j < y.count; j++) {
        const row = at;
        let source = x.start + y.start + j * y.step + z.start + k * z.step;
        for (let i = 0; i < x.count; i++, source += x.step) box[at++] = labels[source];
        const there = x.from + width * (y.from + j + height * (z.from + k));
        niivue.drawBitmap.set(box.subarray(row, at), there);
      }
    }
    if (niivue.opts.is2DSliceShader) {
      niivue.refreshDrawing(false);
      return;
    }
    const { gl } = niivue;
    gl.activeTexture(gl.TEXTURE7);
    gl.bindTexture(gl.TEXTURE_3D, niivue.drawTexture);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    gl.texSubImage3D(gl.TEXTURE_3D, 0, x.from, y.from, z.from, x.count, y.count, z.count, gl.RED, gl.UNSIGNED_BYTE, box);
  }

  /** The drawing's label at the crosshair. */
  #drawnLabel() {
    const [, width, height] = this.scan.dimsRAS;
    const [i, j, k] = this.niivue.frac2vox(this.niivue.scene.crosshairPos);
    return this.niivue.drawBitmap[i + width * (j + height * k)] ?? 0;
  }

  #leaveMending() {
    this.pen = null;
    this.ring.hidden = true;
    if (!this.isMending) return;
    this.isMending = false;
    this.niivue.closeDrawing();
  }

  // However many moves a frame has, it is drawn once.
  #drawSoon() {
    if (!this.isDrawn) return;
    this.isDrawn = false;
    requestAnimationFrame(() => {
      this.isDrawn = true;
      this.niivue.drawScene();
      if (this.scan) this.niivue.createOnLocationChange();
    });
  }

  /** Where the pointer is in a plane: its tile, the plane's number and the place as a fraction of the scan; nothing elsewhere. */
  #place(event) {
    const { niivue } = this;
    const [x, y] = [event.offsetX * niivue.uiData.dpr, event.offsetY * niivue.uiData.dpr];
    const tile = this.pen ? this.pen.tile : niivue.tileIndex(x, y);
    const slice = niivue.screenSlices[tile];
    if (!slice || slice.axCorSag > LAST_PLANE) return null;
    const place = niivue.screenXY2TextureFrac(x, y, tile, true);
    return place[0] < 0 ? null : { tile, slice, place };
  }

  #tellPen(what, { slice, place }) {
    const { dimsRAS } = this.scan;
    this.plane = slice.axCorSag;
    const axis = 2 - slice.axCorSag;
    const there = [0, 1, 2].map((i) => place[i] * dimsRAS[i + 1] - 0.5);
    // The whole of a slice is shown, not a place in it.
    there[axis] = Math.min(Math.max(Math.round(there[axis]), 0), dimsRAS[axis + 1] - 1);
    if (what !== PEN.picks) {
      this.niivue.scene.crosshairPos = place;
      this.#drawSoon();
    }
    this.onPen(what, ...this.#ofFile(there), this.#across(slice.axCorSag));
  }

  #penDown(event) {
    // With Shift the crosshair moves, as it does without a pen.
    if (!this.isMending || event.button !== 0 || event.shiftKey || !event.isPrimary) return;
    const there = this.#place(event);
    if (!there) return;
    this.canvas.focus();
    this.pen = { tile: there.tile, id: event.pointerId };
    this.canvas.setPointerCapture(event.pointerId);
    this.pen.isPicking = event.altKey;
    this.#tellPen(event.altKey ? PEN.picks : PEN.begins, there);
  }

  #penMoves(event) {
    if (!this.isMending) return;
    const there = this.#place(event);
    this.#showRing(event, there);
    if (!there || this.pen?.id !== event.pointerId || this.pen.isPicking) return;
    this.#tellPen(PEN.moves, there);
  }

  #penUp(event) {
    if (this.pen?.id !== event.pointerId) return;
    const { isPicking } = this.pen;
    // The mouse's own event comes after the pointer's.
    setTimeout(() => (this.pen = null));
    if (!isPicking && this.isMending) this.onPen(PEN.ends, 0, 0, 0, 0);
  }

  #showRing({ offsetX, offsetY, pointerType }, there) {
    this.ring.hidden = !there || this.penMm === 0 || pointerType === "touch";
    if (this.ring.hidden) return;
    const { leftTopWidthHeight, fovMM } = there.slice;
    const width = (this.penMm * Math.abs(leftTopWidthHeight[2] / fovMM[0])) / this.niivue.uiData.dpr;
    Object.assign(this.ring.style, { width: `${width}px`, height: `${width}px`, left: `${offsetX}px`, top: `${offsetY}px` });
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

  #key(event) {
    const step = STEPS[event.key];
    if (step && this.scan) {
      this.niivue.moveCrosshairInVox(...step);
      this.niivue.createOnLocationChange();
      event.preventDefault();
    } else if (!step && this.isMending && event.key !== "Tab") {
      const across = this.#across(SINGLE_PLANES.includes(this.view) ? VIEWS[this.view] : this.plane);
      const there = this.#ofFile([...this.niivue.frac2vox(this.niivue.scene.crosshairPos)]);
      if (this.onKey(event.key, event.ctrlKey || event.metaKey, event.shiftKey, ...there, across)) event.preventDefault();
    }
    if (event.key !== "Tab") event.stopImmediatePropagation();
  }
}
