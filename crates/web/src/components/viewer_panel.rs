use std::rc::Rc;

use dinomed3d_volume::Label;
use leptos::html::Canvas;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::components::LabelLegend;
use crate::state::{Location, Scan, State};
use crate::viewer::{OnLocation, Viewer};

const FIRST_OPACITY: f64 = 0.6;

/// The viewer knows a file's format by its name.
const PARTIAL_NAME: &str = "partial.nii.gz";
/// As that of a file which the worker makes of a scan.
const SCAN_NAME: &str = "scan.nii";

/// The scan in three planes and 3-D, with the label map over it.
#[component]
pub fn ViewerPanel() -> impl IntoView {
    let state = State::expect();
    let canvas = NodeRef::<Canvas>::new();
    let viewer = RwSignal::new_local(None::<Viewer>);
    let problem = RwSignal::new(None::<String>);
    let opacity = RwSignal::new(FIRST_OPACITY);
    let planes = RwSignal::new("all".to_owned());

    attach(canvas, viewer, problem, state);
    follow(viewer, problem, state);
    Effect::new(move |_| {
        let opacity = opacity.get();
        viewer.with(|viewer| viewer.as_ref().map(|viewer| viewer.set_opacity(opacity)));
    });
    Effect::new(move |_| {
        let planes = planes.get();
        viewer.with(|viewer| viewer.as_ref().map(|viewer| viewer.set_view(&planes)));
    });

    let labels = Signal::derive(move || state.labels());
    let has_scan = move || state.scan.with(Option::is_some);
    let show = move |(values, is_shown): (Vec<u8>, bool)| {
        state.hidden.update(|hidden| {
            for value in values {
                if is_shown {
                    hidden.remove(&value);
                } else {
                    hidden.insert(value);
                }
            }
        });
    };

    view! {
        <section id="viewer" class="viewer" tabindex="-1" aria-label="Viewer" data-testid="viewer">
            <div class="canvas" data-ready=move || viewer.with(Option::is_some).to_string()>
                <canvas
                    node_ref=canvas
                    tabindex="0"
                    role="application"
                    aria-roledescription="scan viewer"
                    aria-label="Scan in three planes and 3-D"
                    aria-describedby="viewer-keys location"
                ></canvas>
                <Show when=move || !has_scan()>
                    <EmptyCanvas/>
                </Show>
                {move || problem.get().map(|problem| view! { <p class="canvas-note warning">{problem}</p> })}
            </div>
            <p class="location" id="location" aria-live="polite" data-testid="location">
                {move || describe(state.location.get(), &labels.get())}
            </p>
            <div class="viewer-controls">
                <label>
                    "Planes"
                    <select data-testid="planes" on:change:target=move |event| planes.set(event.target().value())>
                        <option value="all">"All and 3-D"</option>
                        <option value="axial">"Axial"</option>
                        <option value="coronal">"Coronal"</option>
                        <option value="sagittal">"Sagittal"</option>
                        <option value="render">"3-D"</option>
                    </select>
                </label>
                <label>
                    "Label opacity"
                    <input
                        type="range"
                        data-testid="opacity"
                        min="0"
                        max="1"
                        step="0.05"
                        prop:value=move || opacity.get()
                        on:input:target=move |event| {
                            opacity.set(event.target().value().parse().unwrap_or(FIRST_OPACITY));
                        }
                    />
                </label>
            </div>
            <LabelLegend labels hidden=state.hidden on_show=show/>
            <p class="visually-hidden" id="viewer-keys">
                "Arrow keys move the crosshair right, left, front and back; page up and page down move it up and down."
            </p>
        </section>
    }
}

/// What the viewer shows before there is a scan.
#[component]
fn EmptyCanvas() -> impl IntoView {
    view! {
        <div class="canvas-note">
            <svg viewBox="0 0 64 64" aria-hidden="true">
                <path d="M32 8v32M20 28l12 12 12-12M10 44v8a4 4 0 0 0 4 4h36a4 4 0 0 0 4-4v-8"/>
            </svg>
            <p>"Drop a scan here, or take a sample."</p>
            <p class="hint">"It stays on this device: nothing is uploaded."</p>
        </div>
    }
}

fn describe(location: Option<Location>, labels: &[Label]) -> String {
    let Some(Location {
        mm: [x, y, z],
        value,
        label,
    }) = location
    else {
        return String::new();
    };
    let label = match label {
        None => String::new(),
        Some(0) => " · no label".to_owned(),
        Some(label) => labels
            .iter()
            .find(|known| known.value == label)
            .map_or_else(
                || format!(" · label {label}"),
                |known| format!(" · {}", known.name),
            ),
    };
    // A value of the scan may be a count in the millions or a fraction: five digits fit both.
    let value = if value.abs() >= 1e4 {
        format!("{value:.0}")
    } else {
        format!("{value:.2}")
    };
    format!("x {x:.1}, y {y:.1}, z {z:.1} mm · value {value}{label}")
}

/// Starts the viewer once its canvas is there.
fn attach(
    canvas: NodeRef<Canvas>,
    viewer: RwSignal<Option<Viewer>, LocalStorage>,
    problem: RwSignal<Option<String>>,
    state: State,
) {
    let on_location = StoredValue::new_local(OnLocation::new(move |x, y, z, value, label| {
        let label = (label >= 0.0).then_some(label as u8);
        state.location.set(Some(Location {
            mm: [x, y, z],
            value,
            label,
        }));
    }));
    Effect::new(move |_| {
        let Some(canvas) = canvas.get() else { return };
        spawn_local(async move {
            let attached = {
                let closure = on_location.with_value(|closure| closure.as_ref().clone());
                Viewer::attach(&canvas, &closure).await
            };
            match attached {
                Ok(attached) => viewer.set(Some(attached)),
                Err(reason) => problem.set(Some(format!(
                    "The viewer could not start: {reason}. Segmenting and saving work without it."
                ))),
            }
        });
    });
}

/// Shows what the state says is on screen.
fn follow(
    viewer: RwSignal<Option<Viewer>, LocalStorage>,
    problem: RwSignal<Option<String>>,
    state: State,
) {
    // In one effect, so that a label map comes after the scan that it lies over; it is told which scan is there.
    Effect::new(move |there: Option<Option<Rc<Scan>>>| {
        let there = there.flatten();
        let (Some(viewer), Some(scan)) = (viewer.get(), state.scan.get()) else {
            return there;
        };
        if !there.is_some_and(|there| Rc::ptr_eq(&there, &scan)) {
            let (viewer, scan) = (viewer.clone(), Rc::clone(&scan));
            spawn_local(async move {
                let shown = match &scan.view {
                    Some(file) => viewer.show_scan(file, SCAN_NAME).await,
                    None => viewer.show_scan(&scan.bytes, &scan.name).await,
                };
                problem.set(shown.err().map(|reason| {
                    format!("The viewer can't show this scan: {reason}. Segmenting and saving work without it.")
                }));
            });
        }
        let of_run = state.partial.get().map(|partial| {
            let labels = partial.labels.clone();
            (partial.bytes.clone(), PARTIAL_NAME.to_owned(), labels)
        });
        let of_result = state.outcome.get().map(|outcome| {
            let labels = outcome.labels.clone();
            (outcome.bytes.clone(), outcome.name.clone(), labels)
        });
        let Some((bytes, name, labels)) = of_run.or(of_result) else {
            viewer.clear_labels();
            return Some(scan);
        };
        let hidden = state.hidden.get_untracked();
        spawn_local(async move {
            let shown = viewer.show_labels(&bytes, &name, &labels, &hidden).await;
            if let Err(reason) = shown {
                problem.set(Some(format!(
                    "The viewer can't show the label map: {reason}. Saving works without it."
                )));
            }
        });
        Some(scan)
    });
    Effect::new(move |_| {
        let hidden = state.hidden.get();
        let labels = state.labels();
        viewer.with_untracked(|viewer| {
            if let Some(viewer) = viewer {
                viewer.hide_labels(&labels, &hidden);
            }
        });
    });
}
