//! What several pages are made of.

use maud::{Markup, Render, html};

/// The head of a column.
#[derive(Debug, Clone, Copy)]
pub enum Column<'a> {
    /// Of words.
    Text(&'a str),
    /// Of numbers, to the right.
    Number(&'a str),
    /// Of buttons; the name is for those who do not see the page.
    Unseen(&'a str),
}

/// The head of a table.
pub fn head(columns: &[Column<'_>]) -> Markup {
    html! {
        thead {
            tr {
                @for column in columns {
                    @match column {
                        Column::Text(name) => th scope="col" { (name) },
                        Column::Number(name) => th.number scope="col" { (name) },
                        Column::Unseen(name) => th scope="col" { span.hidden { (name) } },
                    }
                }
            }
        }
    }
}

/// A number of a row, with its column's name for narrow windows.
pub fn number_cell(column: &str, value: impl Render) -> Markup {
    html! { td.number data-label=(column) { (value) } }
}

/// Anything else of a row.
pub fn cell(column: &str, value: impl Render) -> Markup {
    html! { td data-label=(column) { (value) } }
}

/// Foreign text of any length.
pub fn reason_cell(column: &str, value: impl Render) -> Markup {
    html! { td.error data-label=(column) { (value) } }
}

/// A value in large letters, and its unit in small ones.
pub fn figure(name: &str, value: impl Render, unit: impl Render) -> Markup {
    html! { div { dt { (name) } dd { (value) " " small { (unit) } } } }
}

/// A value that is text.
pub fn fact(name: &str, value: impl Render) -> Markup {
    html! { div { dt { (name) } dd.text { (value) } } }
}

/// `of 4.0 GiB`, or nothing.
pub fn of_max<T>(max: Option<T>, show: impl Fn(T) -> String) -> String {
    max.map_or_else(String::new, |max| format!("of {}", show(max)))
}
