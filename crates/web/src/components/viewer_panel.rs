use std::collections::BTreeSet;
use std::rc::Rc;

use dinomed3d_volume::Label;
use leptos::ev::KeyboardEvent;
use leptos::html::Canvas;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::browser;
use crate::components::{LabelLegend, MendTools, mends_by_key};
use crate::language::{numbers, page, viewer as said};
use crate::media_type;
use crate::mending::Tool;
use crate::protocol::MapKind;
use crate::session::{PenMove, Session};
use crate::state::{Location, Scan, State};
use crate::viewer::{OnKey, OnLocation, OnPen, OnRange, SharedViewer, Told, Viewer};
use crate::words;

const FIRST_OPACITY: f64 = 0.6;

/// What it can show, as `viewer.js` and as people call it.
const VIEWS: [(&str, &str); 7] = [
    ("all", said::ALL),
    ("planes", said::PLANES),
    ("axial", said::AXIAL),
    ("coronal", said::CORONAL),
    ("sagittal", said::SAGITTAL),
    ("mosaic", said::MOSAIC),
    ("render", said::RENDER),
];

/// The viewer knows a file's format by its name.
const PARTIAL_NAME: &str = "partial.nii.gz";
const MAP_NAME: &str = "inside.nii.gz";
/// As that of a file which the worker makes of a scan.
const SCAN_NAME: &str = "scan.nii";

/// The scan in three planes and 3-D, with the label map over it.
#[component]
pub fn ViewerPanel() -> impl IntoView {
    let state = State::expect();
    let session = expect_context::<Session>();
    let canvas = NodeRef::<Canvas>::new();
    let viewer = expect_context::<SharedViewer>();
    let problem = RwSignal::new(None::<String>);
    let opacity = RwSignal::new(FIRST_OPACITY);
    let planes = RwSignal::new("all".to_owned());
    let range = RwSignal::new(None::<(f64, f64)>);

    attach(canvas, viewer, problem, range, state, session);
    follow(viewer, problem, state, session);
    Effect::new(move |_| {
        let pen = state.pen.get();
        let ring_mm = if pen.tool == Tool::Fill {
            0.0
        } else {
            pen.size_mm
        };
        viewer.with(|viewer| viewer.as_ref().map(|viewer| viewer.set_pen(ring_mm)));
    });
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
    let show = move |(values, is_shown): (Vec<u8>, bool)| state.show_labels(&values, is_shown);

    // From the controls; the viewer itself passes on what it is told.
    let on_key = move |event: KeyboardEvent| {
        let key = event.key();
        let keys = (
            &*key,
            event.ctrl_key() || event.meta_key(),
            event.shift_key(),
        );
        let is_mending = untrack(|| state.is_mending());
        if is_mending && mends_by_key(viewer, state, session, keys, None) {
            event.prevent_default();
        }
    };

    view! {
        <section id="viewer" class="viewer" tabindex="-1" aria-label=said::NAME data-testid="viewer">
            <div class="stage" on:keydown=on_key>
            <div class="canvas" data-ready=move || viewer.with(Option::is_some).to_string()>
                <canvas
                    node_ref=canvas
                    tabindex="0"
                    role="application"
                    aria-roledescription=said::KIND
                    aria-label=said::CANVAS
                    aria-describedby="viewer-keys location"
                ></canvas>
                <Show when=move || !has_scan()>
                    <EmptyCanvas/>
                </Show>
                {move || problem.get().map(|problem| view! { <p class="canvas-note warning">{problem}</p> })}
            </div>
            <p class="location" id="location" aria-live="polite" data-testid="location">
                // Of the labels at the time when it was told: others may be on their way to the screen.
                {move || describe(state.location.get(), &untrack(|| labels.get()))}
            </p>
            <div class="viewer-controls">
                <label>
                    {said::VIEW}
                    <select data-testid="planes" on:change:target=move |event| planes.set(event.target().value())>
                        {VIEWS.map(|(view, name)| view! { <option value=view>{name}</option> }).collect_view()}
                    </select>
                </label>
                <label>
                    {said::LABELS}
                    <input
                        type="range"
                        data-testid="opacity"
                        aria-label=said::LABEL_OPACITY
                        min="0"
                        max="1"
                        step="0.05"
                        prop:value=move || opacity.get()
                        on:input:target=move |event| {
                            opacity.set(event.target().value().parse().unwrap_or(FIRST_OPACITY));
                        }
                    />
                </label>
                <Isolate labels/>
                <Mend/>
                <Show when=has_scan>
                    <WindowLevel viewer range/>
                    <Picture viewer planes problem/>
                </Show>
            </div>
            <Show when=move || state.is_mending()>
                <MendTools viewer labels/>
            </Show>
            </div>
            <LabelLegend labels hidden=state.hidden on_show=show/>
            <p class="visually-hidden" id="viewer-keys">
                {said::KEYS}
            </p>
        </section>
    }
}

/// Begins and ends mending.
#[component]
fn Mend() -> impl IntoView {
    let state = State::expect();
    let session = expect_context::<Session>();
    let can_mend = move || {
        state.outcome.with(Option::is_some)
            && state.partial.with(Option::is_none)
            && state.can_change()
    };
    let toggle = move |_| {
        if untrack(|| state.is_mending()) {
            session.leave_mending();
        } else {
            session.mend();
        }
    };
    view! {
        <button
            type="button"
            class="is-small"
            data-testid="mend"
            title=said::MEND_TITLE
            aria-pressed=move || state.is_mending().to_string()
            disabled=move || !can_mend()
            on:click=toggle
        >
            {said::MEND}
        </button>
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
            <p>{said::EMPTY}</p>
            <p class="hint">{said::STAYS}</p>
        </div>
    }
}

/// Which values of the scan are grey: as many as the window is wide, around its level.
#[component]
fn WindowLevel(viewer: SharedViewer, range: RwSignal<Option<(f64, f64)>>) -> impl IntoView {
    let shown = move || {
        let (black, white) = range.get()?;
        Some([(black + white) / 2.0, white - black])
    };
    let set = move |place: usize, text: String| {
        let (Some(mut shown), Ok(number)) = (shown(), text.parse::<f64>()) else {
            return;
        };
        shown[place] = number;
        let [level, width] = shown;
        // A window without width shows nothing.
        if number.is_finite() && width > 0.0 {
            let with = |viewer: &Option<Viewer>| {
                viewer
                    .as_ref()
                    .map(|viewer| viewer.set_range(level - width / 2.0, level + width / 2.0))
            };
            viewer.with_untracked(with);
        } else {
            range.notify();
        }
    };
    let field = move |place: usize, name: &'static str, id: &'static str| {
        view! {
            <label>
                {name}
                <input
                    type="number"
                    step="any"
                    data-testid=id
                    prop:value=move || shown().map(|shown| short(shown[place]))
                    on:change:target=move |event| set(place, event.target().value())
                />
            </label>
        }
    };
    view! {
        <span class="window-level" role="group" aria-label=said::GREY_VALUES>
            {field(1, said::WINDOW, "window")}
            {field(0, said::LEVEL, "level")}
            <button
                type="button"
                class="is-small"
                data-testid="reset-window"
                on:click=move |_| {
                    viewer.with_untracked(|viewer| viewer.as_ref().map(Viewer::reset_range));
                }
            >
                {said::RESET}
            </button>
        </span>
    }
}

/// Shows only the label at the crosshair; and all of them again.
#[component]
fn Isolate(labels: Signal<Vec<Label>>) -> impl IntoView {
    let state = State::expect();
    let here = Memo::new(move |_| state.location.get()?.label.filter(|label| *label != 0));
    let has_hidden = move || state.hidden.with(|hidden| !hidden.is_empty());
    let toggle = move |_| {
        let values: Vec<u8> =
            labels.with_untracked(|labels| labels.iter().map(|label| label.value).collect());
        let was_whole = state.hidden.with_untracked(|hidden| hidden.is_empty());
        state.show_labels(&values, !was_whole);
        // What the map on screen has there, while another one is on its way, may be none of these.
        let here = here.get_untracked().filter(|label| values.contains(label));
        if let Some(label) = here.filter(|_| was_whole) {
            state.show_labels(&[label], true);
        }
    };
    view! {
        <button
            type="button"
            class="is-small"
            data-testid="isolate"
            title=said::ISOLATE_TITLE
            disabled=move || !has_hidden() && here.get().is_none()
            on:click=toggle
        >
            {move || if has_hidden() { said::ALL_LABELS } else { said::ONLY_THIS }}
        </button>
    }
}

/// Saves what is on screen.
#[component]
fn Picture(
    viewer: SharedViewer,
    planes: RwSignal<String>,
    problem: RwSignal<Option<String>>,
) -> impl IntoView {
    let state = State::expect();
    let save = move |_| {
        let scan = state.scan.get_untracked();
        let (Some(viewer), Some(scan)) = (viewer.get_untracked(), scan) else {
            return;
        };
        let label_map = words::label_map_name(&scan.name);
        let stem = words::result_stem(&label_map);
        let name = format!("{stem}_{}.png", planes.get_untracked());
        spawn_local(async move {
            match viewer.picture().await {
                Ok(picture) => browser::save_file(&name, &picture, media_type::PNG),
                Err(reason) => problem.set(Some(said::picture_failed(&reason))),
            }
        });
    };
    view! {
        <button type="button" class="is-small" data-testid="picture" on:click=save>{said::SAVE_PICTURE}</button>
    }
}

/// Digits of a value of the scan, which may be a count in the millions or a fraction.
fn digits(value: f64) -> usize {
    if value.abs() >= 1e4 { 0 } else { 2 }
}

/// As a field for numbers takes it, in whatever language.
fn short(value: f64) -> String {
    format!("{value:.0$}", digits(value))
}

fn describe(location: Option<Location>, labels: &[Label]) -> String {
    let Some(Location {
        mm,
        voxel,
        value,
        label,
    }) = location
    else {
        return String::new();
    };
    let label = match label {
        None => String::new(),
        Some(0) => said::NO_LABEL.to_owned(),
        Some(label) => {
            let known = labels.iter().find(|known| known.value == label);
            let name = known.map_or_else(|| page::label(label.into()), |known| known.name.clone());
            said::label(&name)
        }
    };
    let value = numbers::number(value, digits(value));
    said::location(mm, voxel, &value, &label)
}

/// Starts the viewer once its canvas is there.
fn attach(
    canvas: NodeRef<Canvas>,
    viewer: SharedViewer,
    problem: RwSignal<Option<String>>,
    range: RwSignal<Option<(f64, f64)>>,
    state: State,
    session: Session,
) {
    let on_location = OnLocation::new(move |x, y, z, value, label, i, j, k| {
        let label = (label >= 0.0).then_some(label as u8);
        state.location.set(Some(Location {
            mm: [x, y, z],
            voxel: [i, j, k],
            value,
            label,
        }));
    });
    let on_range = OnRange::new(move |black, white| range.set(Some((black, white))));
    let on_pen = OnPen::new(move |does, x, y, z, across| {
        let does = match does {
            0 => PenMove::Begins,
            1 => PenMove::Moves,
            2 => PenMove::Ends,
            _ => PenMove::Picks,
        };
        let patch = session.pen(does, [x, y, z], across as usize);
        if let Some(patch) = patch {
            viewer.with_untracked(|viewer| viewer.as_ref().map(|viewer| viewer.patch(&patch)));
        }
    });
    let on_key = OnKey::new(move |key: String, is_control, is_shift, i, j, k, across| {
        let crosshair = ([i, j, k].map(|index| index as usize), across as usize);
        let keys = (&*key, is_control, is_shift);
        mends_by_key(viewer, state, session, keys, Some(crosshair))
    });
    let told = StoredValue::new_local(Told {
        location: on_location,
        range: on_range,
        pen: on_pen,
        key: on_key,
    });
    Effect::new(move |_| {
        let Some(canvas) = canvas.get() else { return };
        spawn_local(async move {
            let attached = {
                let told = told.with_value(|told| {
                    [
                        told.location.as_ref().clone(),
                        told.range.as_ref().clone(),
                        told.pen.as_ref().clone(),
                        told.key.as_ref().clone(),
                    ]
                });
                Viewer::attach(&canvas, &told).await
            };
            match attached {
                Ok(attached) => viewer.set(Some(attached)),
                Err(reason) => problem.set(Some(said::could_not_start(&reason))),
            }
        });
    });
}

/// The lowest number that is drawn, so many percent of the way from `low` to `high`.
fn lowest(low: f32, high: f32, percent: u8) -> f32 {
    // Not all of it: a range has two ends.
    low + (high - low) * f32::from(percent.min(99)) / 100.0
}

/// Shows what the state says is on screen.
fn follow(viewer: SharedViewer, problem: RwSignal<Option<String>>, state: State, session: Session) {
    // What a stroke changes the viewer is told by itself.
    let is_mending = Memo::new(move |_| state.is_mending());
    // In one effect, so that a label map comes after the scan that it lies over; it is told which scan is there.
    Effect::new(move |there: Option<Option<Rc<Scan>>>| {
        let there = there.flatten();
        let (Some(viewer), Some(scan)) = (viewer.get(), state.scan.get()) else {
            return there;
        };
        if !there.is_some_and(|there| Rc::ptr_eq(&there, &scan)) {
            let (viewer, scan) = (viewer.clone(), Rc::clone(&scan));
            spawn_local(async move {
                let affine = scan.info.affine;
                let shown = match &scan.view {
                    Some(file) => viewer.show_scan(file, SCAN_NAME, affine).await,
                    None => viewer.show_scan(&scan.bytes, &scan.name, affine).await,
                };
                // In a narrow window it may lie below what it was opened with; a list that goes on by itself scrolls nobody's page.
                if untrack(|| state.can_change()) {
                    viewer.reveal();
                }
                if shown.is_err() {
                    state.location.set(None);
                }
                problem.set(shown.err().map(|reason| said::cant_show_scan(&reason)));
            });
        }
        if is_mending.get() {
            if let Some(voxels) = session.mended_labels() {
                let labels = untrack(|| state.labels());
                viewer.mend(&voxels, &labels, &state.hidden.get_untracked());
            }
            return Some(scan);
        }
        let of_run = state.partial.get().map(|partial| {
            let labels = partial.labels.clone();
            let (bytes, name) = (partial.bytes.clone(), PARTIAL_NAME.to_owned());
            (bytes, name, labels, None)
        });
        if let Some((looked, kind)) = state.inside_map().filter(|_| of_run.is_none()) {
            let labels = state.outcome_labels();
            let least = state
                .visit
                .get_untracked()
                .map_or(0, |visit| visit.threshold);
            spawn_local(async move {
                let Some(file) = &looked.map else { return };
                let shown = match kind {
                    MapKind::Colours => viewer.show_map(file, MAP_NAME, [0.0, 0.0]).await,
                    MapKind::Numbers { low, high } => {
                        let low = lowest(low, high, least);
                        viewer.show_map(file, MAP_NAME, [low, high]).await
                    }
                    MapKind::Labels => {
                        let hidden = BTreeSet::new();
                        viewer
                            .show_labels(file, MAP_NAME, &labels, &hidden, None)
                            .await
                    }
                };
                problem.set(shown.err().map(|reason| said::cant_show_inside(&reason)));
            });
            return Some(scan);
        }
        let over = state.laid_over().filter(|_| of_run.is_none());
        let of_result = state.outcome.get().map(|outcome| {
            let (bytes, name) = (outcome.bytes.clone(), outcome.name.clone());
            match over {
                Some((voxels, labels)) => (bytes, name, labels, Some(voxels)),
                None => (bytes, name, outcome.labels.clone(), None),
            }
        });
        let Some((bytes, name, labels, voxels)) = of_run.or(of_result) else {
            // In its turn: a scan that has just come takes them away with the one before.
            spawn_local(async move { viewer.clear_labels() });
            return Some(scan);
        };
        let hidden = state.hidden.get_untracked();
        spawn_local(async move {
            let shown = viewer
                .show_labels(&bytes, &name, &labels, &hidden, voxels.as_deref())
                .await;
            if let Err(reason) = shown {
                problem.set(Some(said::cant_show_labels(&reason)));
            }
        });
        Some(scan)
    });
    let least = Memo::new(move |_| state.visit.get().map_or(0, |visit| visit.threshold));
    Effect::new(move |_| {
        let least = least.get();
        let map = untrack(|| state.inside_map());
        if let (Some((_, MapKind::Numbers { low, high })), Some(viewer)) =
            (map, viewer.get_untracked())
        {
            viewer.set_lowest(lowest(low, high, least));
        }
    });
    Effect::new(move |_| {
        if let (Some(viewer), Some([x, y, z])) = (viewer.get(), state.go_to.get()) {
            viewer.go_to(x, y, z);
        }
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
