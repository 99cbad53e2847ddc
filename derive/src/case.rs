//! serde's `rename_all` rules, for the names of fields. Like serde's, they know the case of ASCII letters only.

use syn::LitStr;

/// Renames a field, which is in snake case, by a rule.
pub(crate) fn rename(rule: &LitStr, field: &str) -> syn::Result<String> {
    let words = || field.split('_').filter(|word| !word.is_empty());
    let pascal = || words().map(capitalised).collect::<String>();
    Ok(match rule.value().as_str() {
        "lowercase" | "snake_case" => field.to_owned(),
        "UPPERCASE" | "SCREAMING_SNAKE_CASE" => field.to_ascii_uppercase(),
        "PascalCase" => pascal(),
        "camelCase" => {
            let mut camel = pascal();
            if let Some(first) = camel.get_mut(..1) {
                first.make_ascii_lowercase();
            }
            camel
        }
        "kebab-case" => field.replace('_', "-"),
        "SCREAMING-KEBAB-CASE" => field.to_ascii_uppercase().replace('_', "-"),
        _ => return Err(syn::Error::new(rule.span(), "serde knows no such rule")),
    })
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}
