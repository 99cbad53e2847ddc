//! The checks, a file for each theme. A check's name says what the service does.

use std::pin::Pin;

use crate::finding::Finding;
use crate::lab::Lab;
use crate::pages::Page;

mod comparisons;
mod conditions;
mod expressions;
mod functions;
mod limits;
mod reads;
mod returns;
mod sorted;
mod stamp;
mod transactions;
mod updates;
mod values;

pub(crate) struct Theme {
    pub(crate) title: &'static str,
    pub(crate) checks: &'static [Check],
}

pub(crate) struct Check {
    pub(crate) name: &'static str,
    pub(crate) page: Page,
    pub(crate) run: fn(Lab) -> Pin<Box<dyn Future<Output = Finding> + Send>>,
}

/// Declares a theme: its title, and each check's function with the page that documents what it checks.
macro_rules! theme {
    ($title:literal $($check:ident: $page:ident,)+) => {
        pub(super) const THEME: $crate::checks::Theme = $crate::checks::Theme {
            title: $title,
            checks: &[$($crate::checks::Check {
                name: stringify!($check),
                page: $crate::pages::$page,
                run: |lab| Box::pin($check(lab)),
            }),+],
        };
    };
}
use theme;

pub(crate) const THEMES: &[Theme] = &[
    conditions::THEME,
    stamp::THEME,
    comparisons::THEME,
    functions::THEME,
    updates::THEME,
    returns::THEME,
    values::THEME,
    limits::THEME,
    expressions::THEME,
    reads::THEME,
    sorted::THEME,
    transactions::THEME,
];
