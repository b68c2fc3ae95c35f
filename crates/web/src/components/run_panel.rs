use leptos::prelude::*;

use crate::language::run as said;
use crate::protocol::Failure;
use crate::session::Session;
use crate::state::State;
use crate::words;
use crate::work::{Preflight, Run, WorkerPhase};

/// Starts and stops the work, and says how it goes.
#[component]
pub fn RunPanel() -> impl IntoView {
    let state = State::expect();
    let session = expect_context::<Session>();
    let is_running = move || !state.can_change();
    let has_list = move || state.scans.with(|scans| !scans.is_empty());
    view! {
        <section class="panel" aria-labelledby="run-heading">
            <h2 id="run-heading" class="visually-hidden">{said::HEADING}</h2>
            <div class="row">
                <button
                    type="button"
                    class="is-wide"
                    class:is-primary=move || state.scan.with(Option::is_some) && !has_list()
                    data-testid="segment"
                    aria-describedby="preflight status"
                    disabled=move || !state.can_segment.get()
                    on:click=move |_| session.segment()
                >
                    {move || if has_list() { said::SEGMENT_THIS } else { said::SEGMENT }}
                </button>
                <button
                    type="button"
                    data-testid="cancel"
                    disabled=move || !is_running() || state.run.with(|run| run.is_some_and(|run| run.is_cancelled))
                    on:click=move |_| session.cancel()
                >
                    {said::CANCEL}
                </button>
            </div>
            <div id="preflight" data-testid="preflight">
                {move || state.preflight.get().filter(|_| !is_running()).map(|preflight| view! { <PreflightNote preflight/> })}
            </div>
            <Show when=is_running>
                <RunProgress/>
            </Show>
            <p class="status" id="status" role="status" aria-live="polite" data-testid="status">
                {move || state.status.get()}
            </p>
            <div role="alert">
                {move || state.failure.get().map(|failure| view! { <FailureNote failure/> })}
            </div>
        </section>
    }
}

/// What pressing the button will take.
#[component]
fn PreflightNote(preflight: Preflight) -> impl IntoView {
    let Preflight {
        windows,
        workers,
        seconds,
        memory_bytes,
        advice,
    } = preflight;
    view! {
        <p class="hint">{words::preflight(seconds, memory_bytes, windows, workers)}</p>
        {advice.map(|advice| view! { <p class="warning">{advice}</p> })}
    }
}

#[component]
fn RunProgress() -> impl IntoView {
    let state = State::expect();
    let fraction = move || state.run.with(|run| run.map_or(0.0, |run| run.fraction));
    let text = move || {
        let place = state.queue.get();
        let place = place.map(|(place, of)| said::scan(place, of));
        let run = state.run.with(|run| run.as_ref().map(describe));
        place.into_iter().chain(run).collect::<Vec<_>>().join(": ")
    };
    view! {
        <div class="progress">
            <progress
                data-testid="progress"
                aria-label=said::PROGRESS
                max="1"
                prop:value=fraction
                aria-valuetext=text
            ></progress>
            <p class="hint" aria-hidden="true">{text}</p>
        </div>
    }
}

fn describe(run: &Run) -> String {
    if run.is_cancelled {
        return said::STOPPING.to_owned();
    }
    let percent = (run.fraction * 100.0).floor();
    let window = run.window.clamp(1, run.windows.max(1));
    let window = (run.windows > 1).then_some((window, run.windows));
    let left = run.seconds_left().and_then(words::about);
    said::progress(percent, window, left.as_deref())
}

#[component]
fn FailureNote(failure: Failure) -> impl IntoView {
    let state = State::expect();
    let session = expect_context::<Session>();
    let is_gone = move || state.worker.get() == WorkerPhase::Gone;
    view! {
        <div class="failure" data-testid="error">
            <p><strong>{failure.what}</strong></p>
            <p>{failure.advice}</p>
            <div class="row">
                <Show when=is_gone>
                    <button type="button" data-testid="restart" on:click=move |_| session.restart()>
                        {said::START_AGAIN}
                    </button>
                </Show>
                <button type="button" class="is-quiet" data-testid="dismiss" on:click=move |_| session.dismiss_failure()>
                    {said::DISMISS}
                </button>
            </div>
        </div>
    }
}
