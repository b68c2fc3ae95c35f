use std::rc::Rc;

use dinomed3d_volume::{LabelMap, Scan};
use js_sys::Uint8Array;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::browser;
use crate::certainty;
use crate::comparison::Comparison;
use crate::language::{report as said, result, viewer};
use crate::media_type;
use crate::overlay::Overlay;
use crate::report::{Compared, Plane, Report};
use crate::session::Session;
use crate::state::{Outcome, State};
use crate::viewer::SharedViewer;
use crate::words;

/// The planes of a report, as people call them; as the viewer does, with what lies at their left and top.
const PLANES: [(&str, [&str; 3]); 3] = [
    (viewer::AXIAL, ["axial", viewer::LEFT, viewer::ANTERIOR]),
    (viewer::CORONAL, ["coronal", viewer::LEFT, viewer::SUPERIOR]),
    (
        viewer::SAGITTAL,
        ["sagittal", viewer::POSTERIOR, viewer::SUPERIOR],
    ),
];

/// Saves the result as one page to print.
#[component]
pub fn SaveReport() -> impl IntoView {
    let state = State::expect();
    let session = expect_context::<Session>();
    let viewer = expect_context::<SharedViewer>();
    view! {
        <button
            type="button"
            class="is-small"
            data-testid="report"
            title=result::REPORT_TITLE
            on:click=move |_| spawn_local(save(state, session, viewer))
        >
            {result::SAVE_REPORT}
        </button>
    }
}

async fn save(state: State, session: Session, viewer: SharedViewer) {
    let outcome = session.settled_outcome();
    // After a stroke the comparison is made anew.
    while state.comparing.with_untracked(Option::is_some) {
        browser::next_task().await;
    }
    let planes = planes(viewer).await;
    let is_shown = |outcome: &Rc<Outcome>| {
        let shown = state.outcome.get_untracked();
        shown.is_some_and(|shown| Rc::ptr_eq(&shown, outcome))
    };
    // Another one may have come meanwhile.
    let outcome = outcome.filter(is_shown);
    let (Some(outcome), Some(scan)) = (outcome, state.scan.get_untracked()) else {
        return;
    };
    let overlay = state.overlay.get_untracked();
    let labels = untrack(|| state.labels());
    let hidden = state.hidden.get_untracked();
    let num_hidden = labels.iter().filter(|label| hidden.contains(&label.value));
    let place = state.location.get_untracked();
    let comparison = state.comparison.get_untracked();
    // They are of what the network found.
    let ranges = state.ranges.get_untracked();
    let ranges = ranges.filter(|_| outcome.mended_from.is_none());
    let report = Report {
        date: browser::date_and_time(),
        scan: &scan,
        outcome: &outcome,
        planes,
        place: place.map(|place| (place.mm, place.voxel)),
        over: match overlay {
            Overlay::Result => said::OVER_RESULT,
            Overlay::Reference => said::OVER_REFERENCE,
            Overlay::Disagreement => said::OVER_DISAGREEMENT,
            Overlay::Certainty => said::OVER_CERTAINTY,
        },
        num_hidden: num_hidden.count(),
        key: match overlay {
            Overlay::Result => Vec::new(),
            _ => labels,
        },
        ranges: ranges.as_deref().map_or(&[], Vec::as_slice),
        certainty: state
            .certainty
            .get_untracked()
            .and_then(|certainty| shares(&outcome, &certainty)),
        comparison: comparison.map(|comparison| compared(&comparison)),
    };
    let html = report.html();
    let name = words::report_name(&outcome.name);
    browser::save_file(&name, &Uint8Array::from(html.as_bytes()), media_type::HTML);
}

/// None where the viewer could not start or draw; the rest of a report is worth having without them.
async fn planes(viewer: SharedViewer) -> Vec<Plane> {
    let Some(viewer) = viewer.get_untracked() else {
        return Vec::new();
    };
    let pictures = viewer.pictures(&PLANES.map(|(_, plane)| plane)).await;
    let titled = PLANES.iter().zip(pictures.unwrap_or_default());
    let picture = |(&(title, _), address): (&(&str, [&str; 3]), String)| Plane {
        title: title.to_owned(),
        address,
    };
    titled.map(picture).collect()
}

/// How sure the network was of what it found itself.
fn shares(outcome: &Outcome, certainty: &Uint8Array) -> Option<Vec<(&'static str, f64)>> {
    let found = outcome.mended_from.as_deref().unwrap_or(outcome);
    let map = Scan::open(&found.bytes.to_vec(), None).and_then(|scan| scan.label_map());
    let LabelMap { labels, .. } = map.ok()?;
    certainty::shares(&labels, &certainty.to_vec())
}

fn compared(comparison: &Comparison) -> Compared {
    Compared {
        against: comparison.maps.name.clone(),
        rows: comparison.rows(),
        mean_dice: comparison.mean_dice(),
        taken_for: comparison.taken_for(),
    }
}
