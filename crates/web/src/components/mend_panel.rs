use dinomed3d_volume::Label;
use leptos::prelude::*;

use crate::language::mend as said;
use crate::mending::{Patch, Pen, SIZES_MM, Tool};
use crate::session::{PenMove, Session};
use crate::state::{Mended, State};
use crate::viewer::SharedViewer;

/// What a press of `[` or `]` makes of the size.
const SIZE_STEP: f64 = 1.25;

const TOOLS: [(Tool, &str, &str, &str); 3] = [
    (Tool::Brush, said::BRUSH, "mend-brush", "b"),
    (Tool::Erase, said::ERASE, "mend-erase", "e"),
    (Tool::Fill, said::FILL, "mend-fill", "f"),
];

/// Shows labels that have changed.
fn draw(viewer: SharedViewer, patch: Option<Patch>) {
    if let Some(patch) = patch {
        viewer.with_untracked(|viewer| viewer.as_ref().map(|viewer| viewer.patch(&patch)));
    }
}

/// How the labels are changed by hand.
#[component]
pub fn MendTools(viewer: SharedViewer, labels: Signal<Vec<Label>>) -> impl IntoView {
    let state = State::expect();
    let session = expect_context::<Session>();
    let is = move |test: fn(&Mended) -> bool| {
        state
            .mending
            .with(|mended| mended.as_ref().is_some_and(test))
    };
    let tool = move |(tool, name, id, key): (Tool, &'static str, &'static str, &'static str)| {
        view! {
            <button
                type="button"
                class="is-small"
                data-testid=id
                title=said::key(key)
                aria-pressed=move || (state.pen.get().tool == tool).to_string()
                on:click=move |_| state.pen.update(|pen| pen.tool = tool)
            >
                {name}
            </button>
        }
    };
    let option = move |label: Label| {
        let value = label.value;
        view! {
            <option value=value.to_string() selected=move || state.pen.get().label == value>
                {label.name}
            </option>
        }
    };
    let choose = move |value: String| {
        if let Ok(label) = value.parse() {
            state.pen.update(|pen| pen.label = label);
        }
    };
    let pick = move |_| {
        if let Some(location) = state.location.get_untracked() {
            session.pick(location.voxel.map(|index| index as usize));
        }
    };
    let size = move |text: String| match text.parse::<f64>() {
        Ok(size_mm) if size_mm.is_finite() => state.pen.update(|pen| *pen = pen.sized(size_mm)),
        _ => state.pen.notify(),
    };
    let check = move |name: &'static str,
                      id: &'static str,
                      title: &'static str,
                      of: fn(&mut Pen) -> &mut bool| {
        view! {
            <label title=title>
                <input
                    type="checkbox"
                    data-testid=id
                    prop:checked=move || *of(&mut state.pen.get())
                    on:change:target=move |event| {
                        let is_checked = event.target().checked();
                        state.pen.update(|pen| *of(pen) = is_checked);
                    }
                />
                {name}
            </label>
        }
    };
    Effect::new(move |_| {
        if let Some(patch) = state.redrawn.get() {
            draw(viewer, Some((*patch).clone()));
        }
    });
    view! {
        <div class="mend-tools" role="group" aria-label=said::NAME aria-describedby="mend-keys" data-testid="mend-tools">
            <span class="row" role="group" aria-label=said::TOOL>{TOOLS.map(tool).collect_view()}</span>
            <label>
                {said::LABEL}
                <select data-testid="mend-label" on:change:target=move |event| choose(event.target().value())>
                    {move || labels.get().into_iter().map(option).collect_view()}
                </select>
            </label>
            <button type="button" class="is-small" data-testid="mend-pick" title=said::PICK_TITLE on:click=pick>
                {said::PICK}
            </button>
            <label>
                {said::SIZE}
                <input
                    type="number"
                    data-testid="mend-size"
                    min=SIZES_MM[0].to_string()
                    max=SIZES_MM[1].to_string()
                    step="0.5"
                    prop:value=move || (state.pen.get().size_mm * 10.0).round() / 10.0
                    on:change:target=move |event| size(event.target().value())
                />
            </label>
            {check(said::SOLID, "mend-solid", said::SOLID_TITLE, |pen| &mut pen.is_solid)}
            {check(said::KEEP, "mend-keep", said::KEEP_TITLE, |pen| &mut pen.keeps_others)}
            <button
                type="button"
                class="is-small"
                data-testid="mend-undo"
                disabled=move || !is(|mended| mended.can_undo)
                on:click=move |_| draw(viewer, session.undo())
            >
                {said::UNDO}
            </button>
            <button
                type="button"
                class="is-small"
                data-testid="mend-redo"
                disabled=move || !is(|mended| mended.can_redo)
                on:click=move |_| draw(viewer, session.redo())
            >
                {said::REDO}
            </button>
            <button
                type="button"
                class="is-small is-quiet"
                data-testid="mend-restore"
                title=said::RESTORE_TITLE
                disabled=move || !is(|mended| mended.is_changed)
                on:click=move |_| session.restore()
            >
                {said::RESTORE}
            </button>
            <LearnFromStrokes viewer/>
            <p class="hint" role="status" data-testid="mend-note">{move || state.pen_note.get()}</p>
            <p class="visually-hidden" id="mend-keys">
                {said::KEYS}
            </p>
        </div>
    }
}

/// Has the network's last layers follow what was painted, and takes that back.
#[component]
fn LearnFromStrokes(viewer: SharedViewer) -> impl IntoView {
    let state = State::expect();
    let session = expect_context::<Session>();
    let mended = move |test: fn(&Mended) -> bool| {
        state
            .mending
            .with(|mended| mended.as_ref().is_some_and(test))
    };
    let has_learnt = Memo::new(move |_| mended(|mended| mended.can_unlearn));
    let is_learning = Memo::new(move |_| state.learning.with(Option::is_some));
    let percent = move || (100.0 * state.learning.get().unwrap_or(0.0)).round();
    view! {
        <span class="row" role="group" aria-label=said::LEARNING>
            <button
                type="button"
                class="is-small"
                data-testid="mend-learn"
                title=said::LEARN_TITLE
                disabled=move || !mended(|mended| mended.strokes > 0) || !state.can_learn.get()
                on:click=move |_| session.learn()
            >
                {said::LEARN}
            </button>
            <Show when=move || is_learning.get()>
                // Not spoken: every percent would be; that it has begun the page's status says.
                <span data-testid="mend-learning">{move || said::learning(percent())}</span>
                <button type="button" class="is-small" data-testid="mend-learn-stop" on:click=move |_| session.stop_learning()>
                    {said::STOP}
                </button>
            </Show>
            <Show when=move || has_learnt.get()>
                <button
                    type="button"
                    class="is-small is-quiet"
                    data-testid="mend-unlearn"
                    title=said::UNLEARN_TITLE
                    on:click=move |_| draw(viewer, session.undo_learning())
                >
                    {said::UNLEARN}
                </button>
            </Show>
        </span>
    }
}

/// What a key does while labels are mended; says whether it was of use. At the crosshair, in a plane across an axis, only where the
/// viewer has the keyboard.
pub fn mends_by_key(
    viewer: SharedViewer,
    state: State,
    session: Session,
    (key, is_control, is_shift): (&str, bool, bool),
    crosshair: Option<([usize; 3], usize)>,
) -> bool {
    if is_control {
        match (key.to_ascii_lowercase().as_str(), is_shift) {
            ("z", false) => draw(viewer, session.undo()),
            ("z", true) | ("y", _) => draw(viewer, session.redo()),
            _ => return false,
        }
        return true;
    }
    if key == "Escape" {
        session.leave_mending();
        return true;
    }
    let Some((voxel, across)) = crosshair else {
        return false;
    };
    let tool = TOOLS.into_iter().find(|(.., letter)| *letter == key);
    match key {
        _ if tool.is_some() => {
            if let Some((tool, ..)) = tool {
                state.pen.update(|pen| pen.tool = tool);
            }
        }
        " " | "Enter" => {
            let place = voxel.map(|index| index as f64);
            draw(viewer, session.pen(PenMove::Begins, place, across));
            session.pen(PenMove::Ends, place, across);
        }
        "p" => session.pick(voxel),
        "[" | "]" => {
            let factor = if key == "[" {
                1.0 / SIZE_STEP
            } else {
                SIZE_STEP
            };
            state
                .pen
                .update(|pen| *pen = pen.sized(pen.size_mm * factor));
        }
        _ => return false,
    }
    true
}
