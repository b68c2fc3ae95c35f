//! NiiVue, bound through `viewer.js`.

use std::collections::BTreeSet;

use dinomed3d_volume::Label;
use js_sys::{Array, Object, Reflect, Uint8Array};
use leptos::prelude::{LocalStorage, RwSignal};
use wasm_bindgen::prelude::*;
use web_sys::HtmlCanvasElement;

use crate::mending::Patch;
use crate::thrown;

#[wasm_bindgen(module = "/src/viewer.js")]
extern "C" {
    /// The viewer on its canvas.
    #[derive(Clone)]
    pub type Viewer;

    #[wasm_bindgen(static_method_of = Viewer, js_name = attach, catch)]
    async fn attach_js(
        canvas: &HtmlCanvasElement,
        on_location: &JsValue,
        on_range: &JsValue,
        on_pen: &JsValue,
        on_key: &JsValue,
    ) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, js_name = showScan, catch)]
    async fn show_scan_js(
        this: &Viewer,
        bytes: Uint8Array,
        name: &str,
        affine: Option<Box<[f64]>>,
    ) -> Result<(), JsValue>;

    #[wasm_bindgen(method, js_name = showLabels, catch)]
    async fn show_labels_js(
        this: &Viewer,
        bytes: Uint8Array,
        name: &str,
        key: &JsValue,
        voxels: Option<Uint8Array>,
    ) -> Result<(), JsValue>;

    #[wasm_bindgen(method, js_name = showMap, catch)]
    async fn show_map_js(
        this: &Viewer,
        bytes: Uint8Array,
        name: &str,
        low: f32,
        high: f32,
    ) -> Result<(), JsValue>;

    /// Numbers of a map below `low` are not drawn.
    #[wasm_bindgen(method, js_name = setLowest)]
    pub fn set_lowest(this: &Viewer, low: f32);

    /// Brings the crosshair to a place in the world.
    #[wasm_bindgen(method, js_name = goTo)]
    pub fn go_to(this: &Viewer, x: f64, y: f64, z: f64);

    #[wasm_bindgen(method, js_name = clearLabels)]
    fn clear_labels_js(this: &Viewer);

    #[wasm_bindgen(method, js_name = setKey)]
    fn set_key_js(this: &Viewer, key: &JsValue);

    #[wasm_bindgen(method, js_name = mend)]
    fn mend_js(this: &Viewer, voxels: Uint8Array, key: &JsValue);

    #[wasm_bindgen(method, js_name = patch)]
    fn patch_js(
        this: &Viewer,
        x: usize,
        y: usize,
        z: usize,
        columns: usize,
        rows: usize,
        slices: usize,
        labels: &[u8],
    );

    /// Width in mm of the ring around the pointer; 0 for none.
    #[wasm_bindgen(method, js_name = setPen)]
    pub fn set_pen(this: &Viewer, millimetres: f64);

    /// Scrolls the page no further than that all of the viewer's canvas is seen.
    #[wasm_bindgen(method, js_name = reveal)]
    pub fn reveal(this: &Viewer);

    /// How strongly the label map covers the scan, 0 to 1.
    #[wasm_bindgen(method, js_name = setOpacity)]
    pub fn set_opacity(this: &Viewer, opacity: f64);

    /// Which planes are shown; a name of `viewer.js`.
    #[wasm_bindgen(method, js_name = setView)]
    pub fn set_view(this: &Viewer, view: &str);

    /// Draws these values of the scan as black and as white.
    #[wasm_bindgen(method, js_name = setRange)]
    pub fn set_range(this: &Viewer, black: f64, white: f64);

    /// Draws as black and as white what the viewer chose when the scan came.
    #[wasm_bindgen(method, js_name = resetRange)]
    pub fn reset_range(this: &Viewer);

    #[wasm_bindgen(method, js_name = picture, catch)]
    async fn picture_js(this: &Viewer) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, js_name = pictures, catch)]
    async fn pictures_js(this: &Viewer, planes: Array) -> Result<JsValue, JsValue>;
}

/// Called with x, y, z in mm, the scan's value, the label there and the voxel's index along x, y, z of the file; a label below 0
/// means that no label map is shown, or one that another is about to take the place of.
pub type OnLocation = Closure<dyn Fn(f64, f64, f64, f64, f64, u32, u32, u32)>;

/// Called with the values of the scan that are drawn as black and as white.
pub type OnRange = Closure<dyn Fn(f64, f64)>;

/// Called with what the pen does (0 begins, 1 moves, 2 ends, 3 asks for the label), where, in voxels x, y, z of the file, and the
/// file's axis that the plane is across.
pub type OnPen = Closure<dyn Fn(u32, f64, f64, f64, u32)>;

/// Called with a key, whether Control and Shift are down, the crosshair's voxel along x, y, z of the file and the axis that the plane
/// is across; says whether the key was of use.
pub type OnKey = Closure<dyn Fn(String, bool, bool, u32, u32, u32, u32) -> bool>;

/// Whom the viewer tells what.
pub struct Told {
    /// Where the crosshair is.
    pub location: OnLocation,
    /// What is black and white.
    pub range: OnRange,
    /// What the pen does.
    pub pen: OnPen,
    /// What is typed while labels are mended.
    pub key: OnKey,
}

/// The viewer, once it has started; in context, as others want pictures of it.
pub type SharedViewer = RwSignal<Option<Viewer>, LocalStorage>;

impl Viewer {
    /// Starts the viewer; the four are those of a [`Told`], which lives as long as the viewer.
    ///
    /// # Errors
    /// What went wrong, such as that the browser has no WebGL 2.
    pub async fn attach(
        canvas: &HtmlCanvasElement,
        [on_location, on_range, on_pen, on_key]: &[JsValue; 4],
    ) -> Result<Self, String> {
        Self::attach_js(canvas, on_location, on_range, on_pen, on_key)
            .await
            .map(JsCast::unchecked_into)
            .map_err(|error| thrown::describe(&error))
    }

    /// Shows a NIfTI file in place of what was there, at `affine` where that is said: a viewer may take another of a file's
    /// two forms, or have its own way with one that has none.
    ///
    /// # Errors
    /// What the viewer says about the file.
    pub async fn show_scan(
        &self,
        bytes: &Uint8Array,
        name: &str,
        affine: Option<[[f64; 4]; 3]>,
    ) -> Result<(), String> {
        // The viewer may keep and change what it is given.
        let copy = bytes.slice(0, bytes.length());
        let affine = affine.map(|rows| rows.as_flattened().into());
        self.show_scan_js(copy, name, affine)
            .await
            .map_err(|error| thrown::describe(&error))
    }

    /// What is on screen, as a PNG.
    ///
    /// # Errors
    /// What the browser says.
    pub async fn picture(&self) -> Result<Uint8Array, String> {
        let picture = self.picture_js().await;
        picture
            .map(JsCast::unchecked_into)
            .map_err(|error| thrown::describe(&error))
    }

    /// Planes through the crosshair as `data:` addresses of pictures; none without a scan. Each is named as in `viewer.js`, with what is
    /// written at its left and at its top. What is on screen stays as it is.
    ///
    /// # Errors
    /// What the browser says.
    pub async fn pictures(&self, planes: &[[&str; 3]]) -> Result<Vec<String>, String> {
        let plane = |plane: &[&str; 3]| plane.map(JsValue::from_str).into_iter().collect::<Array>();
        let planes = planes.iter().map(plane).collect();
        let pictures = self.pictures_js(planes).await;
        let pictures: Array = pictures
            .map(JsCast::unchecked_into)
            .map_err(|error| thrown::describe(&error))?;
        Ok(pictures
            .iter()
            .filter_map(|picture| picture.as_string())
            .collect())
    }

    /// Shows a NIfTI label map over the scan; `voxels`, if there are any, take the place of the file's.
    ///
    /// # Errors
    /// What the viewer says about the file.
    pub async fn show_labels(
        &self,
        bytes: &Uint8Array,
        name: &str,
        labels: &[Label],
        hidden: &BTreeSet<u8>,
        voxels: Option<&[u8]>,
    ) -> Result<(), String> {
        let copy = bytes.slice(0, bytes.length());
        let voxels = voxels.map(Uint8Array::from);
        self.show_labels_js(copy, name, &color_key(labels, hidden), voxels)
            .await
            .map_err(|error| thrown::describe(&error))
    }

    /// Shows a NIfTI map over the scan in place of labels; of numbers those in that range are drawn.
    ///
    /// # Errors
    /// What the viewer says about the file.
    pub async fn show_map(
        &self,
        bytes: &Uint8Array,
        name: &str,
        [low, high]: [f32; 2],
    ) -> Result<(), String> {
        let copy = bytes.slice(0, bytes.length());
        let shown = self.show_map_js(copy, name, low, high).await;
        shown.map_err(|error| thrown::describe(&error))
    }

    /// Shows labels, all of the scan's, in place of the label map, to be changed until another one is shown.
    pub fn mend(&self, labels_of_voxels: &[u8], labels: &[Label], hidden: &BTreeSet<u8>) {
        self.mend_js(
            Uint8Array::from(labels_of_voxels),
            &color_key(labels, hidden),
        );
    }

    /// Changes some of the labels that are mended.
    pub fn patch(&self, patch: &Patch) {
        let Patch {
            first: [z, y, x],
            shape: [slices, rows, columns],
            labels,
        } = patch;
        self.patch_js(*x, *y, *z, *columns, *rows, *slices, labels);
    }

    /// Takes the label map away.
    pub fn clear_labels(&self) {
        self.clear_labels_js();
    }

    /// Shows all labels but the hidden ones.
    pub fn hide_labels(&self, labels: &[Label], hidden: &BTreeSet<u8>) {
        self.set_key_js(&color_key(labels, hidden));
    }
}

/// The colours as NiiVue takes them: one list for each of value, red, green, blue, opacity and name, without gaps in
/// the values, because NiiVue draws sparse ones wrongly.
fn color_key(labels: &[Label], hidden: &BTreeSet<u8>) -> JsValue {
    let last = labels.iter().map(|label| label.value).max().unwrap_or(0);
    let lists: [Array; 6] = std::array::from_fn(|_| Array::new());
    for value in 0..=last {
        let label = labels.iter().find(|label| label.value == value);
        let [red, green, blue] = label.map_or([0; 3], |label| label.color);
        let is_shown = label.is_some() && !hidden.contains(&value);
        let name = label.map_or("", |label| &label.name);
        let opacity: u8 = if is_shown { 255 } else { 0 };
        let row: [JsValue; 6] = [
            value.into(),
            red.into(),
            green.into(),
            blue.into(),
            opacity.into(),
            name.into(),
        ];
        for (list, cell) in lists.iter().zip(row) {
            list.push(&cell);
        }
    }
    let key = Object::new();
    for (name, list) in ["I", "R", "G", "B", "A", "labels"].into_iter().zip(&lists) {
        Reflect::set(&key, &name.into(), list).expect("a plain object takes any key");
    }
    key.into()
}
