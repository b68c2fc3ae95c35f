use leptos::prelude::*;

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
