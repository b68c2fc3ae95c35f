use leptos::prelude::*;

use crate::components::Swatch;

/// The heads of a table's columns, each with its title or none. One element for all tables, which the program then has once.
pub fn column_heads(heads: &[(&'static str, Option<&'static str>)]) -> AnyView {
    let head = |&(name, title): &(&'static str, Option<&'static str>)| {
        let name = match title {
            Some(title) => view! { <abbr title=title>{name}</abbr> }.into_any(),
            None => name.into_any(),
        };
        view! { <th scope="col">{name}</th> }
    };
    heads.iter().map(head).collect_view().into_any()
}

/// A row about a label: its colour, its name, what is to be said behind that, and cells, each with its title or none. Likewise.
pub fn label_row(
    color: [u8; 3],
    name: String,
    note: Option<&'static str>,
    cells: Vec<(Option<String>, String)>,
) -> AnyView {
    let cell = |(title, text)| view! { <td title=title>{text}</td> };
    view! {
        <tr>
            <th scope="row">
                <Swatch color/>
                {name}
                {note.map(|note| view! { <span class="hint">{note}</span> })}
            </th>
            {cells.into_iter().map(cell).collect_view()}
        </tr>
    }
    .into_any()
}

/// A small button. Likewise.
pub fn small_button(
    test: &'static str,
    name: &'static str,
    disabled: Signal<bool>,
    press: Callback<()>,
) -> AnyView {
    view! {
        <button
            type="button"
            class="is-small"
            data-testid=test
            disabled=disabled
            on:click=move |_| press.run(())
        >
            {name}
        </button>
    }
    .into_any()
}
