use std::rc::Rc;

use dinomed3d_volume::Label;
use dinomed3d_volume::volumetry::{LabelSize, VolumeRange};
use js_sys::Uint8Array;
use leptos::prelude::*;

use crate::browser;
use crate::comparison::named;
use crate::components::{Compare, SaveReport, column_heads, label_row, small_button};
use crate::language::{certainty, mend, numbers, page, result as said};
use crate::media_type;
use crate::overlay::Overlay;
use crate::protocol::Probabilities;
use crate::session::Session;
use crate::state::{Outcome, State};
use crate::station::{Station, Visit};
use crate::structures::{self, Group, Structure, StructureLabels};
use crate::words;
use crate::work::Closer;

/// The label map in numbers, and as a file.
#[component]
pub fn Results() -> impl IntoView {
    let state = State::expect();
    // While a run goes on, its labels are on screen and not those of the result.
    let is_hidden = move || {
        state.outcome.with(Option::is_none)
            || state.partial.with(Option::is_some)
            || state.visit.with(Option::is_some)
    };
    view! {
        <section class="panel results" aria-labelledby="results-heading" hidden=is_hidden>
            <h2 id="results-heading">{said::HEADING}</h2>
            {move || state.outcome.get().map(|outcome| view! { <OutcomeView outcome/> })}
        </section>
    }
}

/// An address of a file, for as long as it is shown.
pub(super) fn saved(bytes: &Uint8Array, media_type: &str) -> String {
    let url = browser::object_url(bytes, media_type).unwrap_or_default();
    let held = url.clone();
    on_cleanup(move || browser::revoke_object_url(&held));
    url
}

#[component]
fn OutcomeView(outcome: Rc<Outcome>) -> impl IntoView {
    let state = State::expect();
    let session = expect_context::<Session>();
    let is_mended = outcome.mended_from.is_some();
    let is_changed = Memo::new(move |_| {
        let mended = state.mending.get();
        mended.map_or(is_mended, |mended| mended.is_changed)
    });
    let found = outcome
        .mended_from
        .as_ref()
        .unwrap_or(&outcome)
        .name
        .clone();
    let name = move || match is_changed.get() {
        true => words::mended_name(&found),
        false => found.clone(),
    };
    let of_file = outcome.learnt_from;
    let learnt_from = Memo::new(move |_| {
        let mended = state.mending.get();
        mended.map_or(of_file, |mended| mended.learnt_from)
    });
    let of_outcome = outcome.statistics.clone();
    let sizes = Signal::derive(move || {
        let mended = state.mending.get();
        mended.map_or_else(|| of_outcome.clone(), |mended| mended.sizes)
    });
    let made = said::made(&words::made(outcome.millis, outcome.backend));
    let of_ranges = outcome.labels.clone();
    view! {
        // Who sees nothing else of a result sees whether to doubt it.
        {warnings(&outcome.warnings)}
        <div class="row">
            <SaveLabels outcome=Rc::clone(&outcome)/>
            <SaveSegmentation outcome=Rc::clone(&outcome) is_changed/>
        </div>
        <p class="hint file-name" data-testid="file-name">{name}</p>
        <div role="status">
            <Show when=move || is_changed.get()>
                <p class="warning" data-testid="mended-note">
                    {said::CHANGED}
                    {move || learnt_from.get().map(|strokes| said::learnt(&mend::learnt(strokes)))}
                </p>
            </Show>
        </div>
        <div class="row">
            <Certainty/>
            {small_button("download-volumes", said::SAVE_VOLUMES, false.into(), Callback::new(move |()| session.save_volumes()))}
            <SaveReport/>
        </div>
        <KnownBefore outcome=Rc::clone(&outcome)/>
        <Compare/>
        <LookInside/>
        <Statistics labels=outcome.labels.clone() sizes/>
        <Show when=move || !is_changed.get()>
            <Ranges labels=of_ranges.clone()/>
        </Show>
        {outcome.closer.clone().into_iter().map(|closer| view! { <CloserButton closer/> }).collect_view()}
        <p class="hint">{made}</p>
        <p class="disclaimer">{page::NOTICE}</p>
    }
}

/// What a reader should know, in a box that is reached by keyboard, as it scrolls. One element wherever it stands.
pub(super) fn warnings(warnings: &[String]) -> AnyView {
    if warnings.is_empty() {
        return ().into_any();
    }
    let warning = |warning: &String| view! { <p class="warning">{warning.clone()}</p> };
    view! {
        <div class="warnings" tabindex="0" role="group" aria-label=said::WARNINGS data-testid="warnings">
            {warnings.iter().map(warning).collect_view()}
        </div>
    }
    .into_any()
}

/// The label map as a file: one that is there, or, while it is mended, one that is made when it is asked for.
#[component]
fn SaveLabels(outcome: Rc<Outcome>) -> impl IntoView {
    let state = State::expect();
    let session = expect_context::<Session>();
    let is_mending = Memo::new(move |_| state.is_mending());
    let outcome = StoredValue::new_local(outcome);
    move || {
        if is_mending.get() {
            view! {
                <button
                    type="button"
                    class="is-primary"
                    data-testid="download-labels"
                    on:click=move |_| session.save_labels()
                >
                    {said::SAVE_LABELS}
                </button>
            }
            .into_any()
        } else {
            let (name, url) = outcome.with_value(|outcome| {
                (
                    outcome.name.clone(),
                    saved(&outcome.bytes, media_type::NIFTI_GZIP),
                )
            });
            view! {
                <a
                    class="button is-primary"
                    data-testid="download-labels"
                    download=name
                    href=url
                    on:click=move |_| session.were_saved()
                >
                    {said::SAVE_LABELS}
                </a>
            }
            .into_any()
        }
    }
}

/// A scan's DICOM segmentation: the one that came with the result or, of what a person has changed, one that is made when it is
/// asked for.
#[component]
fn SaveSegmentation(outcome: Rc<Outcome>, is_changed: Memo<bool>) -> impl IntoView {
    let session = expect_context::<Session>();
    let found = outcome.mended_from.as_ref().unwrap_or(&outcome);
    found.seg.as_ref()?;
    let (name, made) = (words::seg_name(&outcome.name), outcome.seg.clone());
    let made = StoredValue::new_local(made);
    let view = move || match made.get_value().filter(|_| !is_changed.get()) {
        Some(seg) => view! {
            <a
                class="button"
                data-testid="download-seg"
                download=name.clone()
                href=saved(&seg, media_type::DICOM)
                on:click=move |_| session.were_saved()
            >
                {said::SAVE_SEG}
            </a>
        }
        .into_any(),
        None => view! {
            <button
                type="button"
                data-testid="download-seg"
                on:click=move |_| session.save_segmentation()
            >
                {said::SAVE_SEG}
            </button>
        }
        .into_any(),
    };
    Some(view)
}

/// How sure the network was: over the scan, and as files.
#[component]
fn Certainty() -> impl IntoView {
    let state = State::expect();
    let session = expect_context::<Session>();
    let is_over = move || state.overlay.get() == Overlay::Certainty;
    let error = move || {
        let model = state.model.get()?;
        model.info.calibration_error
    };
    let has_none = Signal::derive(move || !state.has_logits.get());
    let save = move |what, name, test| {
        let press = Callback::new(move |()| session.save_probabilities(what));
        small_button(test, name, has_none, press)
    };
    view! {
        <button
                type="button"
                class="is-small"
                data-testid="certainty"
                title=move || words::certainty(error())
                aria-pressed=move || is_over().to_string()
                disabled=move || !state.has_certainty()
                on:click=move |_| {
                    session.lay_over(if is_over() { Overlay::Result } else { Overlay::Certainty });
                }
            >
                {certainty::NAME}
            </button>
            {save(Probabilities::CertaintyFile, certainty::SAVE, "download-certainty")}
            {save(Probabilities::OfLabels, certainty::SAVE_PROBABILITIES, "download-probabilities")}
    }
}

/// Why nothing is known of how sure the network was and what goes on inside it, and the way back to where it was.
#[component]
fn KnownBefore(outcome: Rc<Outcome>) -> impl IntoView {
    let state = State::expect();
    let session = expect_context::<Session>();
    let is_looked_at = outcome.looked_from.is_some();
    let why = if is_looked_at {
        said::OF_TWO_NETWORKS
    } else {
        said::NOT_KEPT
    };
    view! {
        <p class="hint" hidden=move || state.has_logits.get() data-testid="not-known">{why}</p>
        {is_looked_at.then(|| {
            let disabled = Signal::derive(move || !state.can_change());
            let press = Callback::new(move |()| session.look_back());
            small_button("look-back", said::LOOK_BACK, disabled, press)
        })}
    }
}

/// Opens the tour inside the network.
#[component]
fn LookInside() -> impl IntoView {
    let state = State::expect();
    let session = expect_context::<Session>();
    view! {
        <button
            type="button"
            class="is-small"
            data-testid="inside"
            title=said::INSIDE_TITLE
            disabled=move || !state.has_logits.get()
            on:click=move |_| session.visit(Some(Visit::of(Station::Slices)))
        >
            {said::INSIDE}
        </button>
    }
}

/// Has another model look closer at a part.
#[component]
fn CloserButton(closer: Closer) -> impl IntoView {
    let state = State::expect();
    let session = expect_context::<Session>();
    let text = said::look_closer(&closer.name);
    view! {
        <button
            type="button"
            data-testid="closer"
            disabled=move || !state.can_segment.get()
            on:click=move |_| session.look_closer(closer.clone())
        >
            {text}
        </button>
    }
}

/// How large everything is: voxels and volume of each label, or, of labels with sides, volumes left and right.
#[component]
fn Statistics(labels: Vec<Label>, sizes: Signal<Vec<LabelSize>>) -> impl IntoView {
    let groups = structures::grouped(&labels);
    let has_pairs = groups
        .iter()
        .flat_map(|group| &group.structures)
        .any(|structure| matches!(structure.labels, StructureLabels::Pair(..)));
    if has_pairs {
        view! { <SidesTable groups sizes/> }.into_any()
    } else {
        view! { <LabelTable labels sizes/> }.into_any()
    }
}

/// Between which volumes the true ones lie.
#[component]
fn Ranges(labels: Vec<Label>) -> impl IntoView {
    let state = State::expect();
    let row = move |range: &VolumeRange| {
        let label = named(&labels, range.value);
        let name = match range.right {
            Some(_) => words::both_sides(&label.name),
            None => label.name,
        };
        let range = numbers::range(range.low_ml, range.high_ml, 2);
        label_row(label.color, name, None, vec![(None, range)])
    };
    let table = move || {
        let ranges = state.ranges.get()?;
        Some(view! {
            <details class="ranges" data-testid="volume-ranges">
                <summary>{said::RANGES}</summary>
                <p class="hint">{said::RANGES_MEAN}</p>
                <table>
                    <thead><tr>{column_heads(&[(page::LABEL, None), (said::VOLUME, None)])}</tr></thead>
                    <tbody>{ranges.iter().map(&row).collect_view()}</tbody>
                </table>
            </details>
        })
    };
    view! { {table} }
}

#[component]
fn LabelTable(labels: Vec<Label>, sizes: Signal<Vec<LabelSize>>) -> impl IntoView {
    let row = move |row: LabelSize| {
        let label = named(&labels, row.value);
        let cells = [words::count(row.voxels), numbers::number(row.volume_ml, 3)];
        let cells = cells.map(|cell| (None, cell)).into();
        label_row(label.color, label.name, None, cells)
    };
    view! {
        <table data-testid="statistics">
            <caption class="visually-hidden">{said::SIZES}</caption>
            <thead>
                <tr>
                    {column_heads(&[(page::LABEL, None), (said::VOXELS, None), (said::VOLUME, None)])}
                </tr>
            </thead>
            <tbody>{move || sizes.get().into_iter().map(&row).collect_view()}</tbody>
        </table>
    }
}

#[component]
fn SidesTable(groups: Vec<Group>, sizes: Signal<Vec<LabelSize>>) -> impl IntoView {
    const HEADS: [(&str, Option<&str>); 5] = [
        (said::STRUCTURE, None),
        (said::LEFT, None),
        (said::RIGHT, None),
        (said::BOTH, None),
        (said::ASYMMETRY, Some(said::ASYMMETRY_TITLE)),
    ];
    let row = move |structure: Structure| {
        let cells = sizes.with(|sizes| structures::cells(&structure, sizes));
        let cells = cells.map(|cell| (None, cell)).into();
        label_row(structure.color(), structure.name, None, cells)
    };
    let body = move |group: Group| {
        let heading = (!group.name.is_empty()).then(|| {
            view! {
                <tr class="group">
                    <th scope="rowgroup" colspan="5">{group.name}</th>
                </tr>
            }
        });
        view! {
            <tbody>
                {heading}
                {group.structures.into_iter().map(row).collect_view()}
            </tbody>
        }
    };
    view! {
        // A table that scrolls is reached by keyboard.
        <div class="scrolls" tabindex="0" role="group" aria-label=said::VOLUMES>
            <table class="sides" data-testid="statistics">
                <caption>{said::VOLUMES_ML}</caption>
                <thead>
                    <tr>{column_heads(&HEADS)}</tr>
                </thead>
                {move || groups.clone().into_iter().map(body).collect_view()}
            </table>
        </div>
    }
}
