use std::rc::Rc;

use dinomed3d_volume::{Label, NOTICE};
use leptos::prelude::*;

use crate::browser;
use crate::protocol::{Backend, LabelStatistics};
use crate::state::{Outcome, State};
use crate::words;

/// The label map in numbers, and as a file.
#[component]
pub fn Results() -> impl IntoView {
    let state = State::expect();
    view! {
        <section class="panel results" aria-labelledby="results-heading" hidden=move || state.outcome.with(Option::is_none)>
            <h2 id="results-heading">"Result"</h2>
            {move || state.outcome.get().map(|outcome| view! { <OutcomeView outcome/> })}
        </section>
    }
}

#[component]
fn OutcomeView(outcome: Rc<Outcome>) -> impl IntoView {
    let url = browser::object_url(&outcome.bytes).unwrap_or_default();
    let held = url.clone();
    on_cleanup(move || browser::revoke_object_url(&held));
    let made = match outcome.backend {
        Some(backend) => format!(
            "Made in {} on {}{}.",
            words::elapsed(outcome.millis),
            if backend == Backend::Cpu { "the " } else { "" },
            backend.title()
        ),
        None => format!("Made in {}.", words::elapsed(outcome.millis)),
    };
    view! {
        <Statistics labels=outcome.labels.clone() statistics=outcome.statistics.clone()/>
        {outcome.warnings.clone().into_iter().map(|warning| view! { <p class="warning">{warning}</p> }).collect_view()}
        <p class="hint">{made}</p>
        <a
            class="button is-primary"
            data-testid="download-labels"
            download=outcome.name.clone()
            href=url
        >
            "Save the label map"
        </a>
        <p class="hint file-name">{outcome.name.clone()}</p>
        <p class="disclaimer">{NOTICE}</p>
    }
}

#[component]
fn Statistics(labels: Vec<Label>, statistics: Vec<LabelStatistics>) -> impl IntoView {
    let row = move |row: LabelStatistics| {
        let label = labels.iter().find(|label| label.value == row.value);
        let name = label.map_or_else(
            || format!("Label {}", row.value),
            |label| label.name.clone(),
        );
        let [red, green, blue] = label.map_or([128; 3], |label| label.color);
        view! {
            <tr>
                <th scope="row">
                    <span class="swatch" style:background-color=format!("rgb({red} {green} {blue})") aria-hidden="true"></span>
                    {name}
                </th>
                <td>{words::count(row.voxels)}</td>
                <td>{format!("{:.3}", row.volume_ml)}</td>
            </tr>
        }
    };
    view! {
        <table data-testid="statistics">
            <caption class="visually-hidden">"Size of every label"</caption>
            <thead>
                <tr>
                    <th scope="col">"Label"</th>
                    <th scope="col">"Voxels"</th>
                    <th scope="col">"Volume, mL"</th>
                </tr>
            </thead>
            <tbody>{statistics.into_iter().map(row).collect_view()}</tbody>
        </table>
    }
}
