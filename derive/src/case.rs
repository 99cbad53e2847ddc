//! serde's `rename_all` rules, for the names of fields.

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
            let pascal = pascal();
            pascal.chars().take(1).flat_map(char::to_lowercase).chain(pascal.chars().skip(1)).collect()
        }
        "kebab-case" => field.replace('_', "-"),
        "SCREAMING-KEBAB-CASE" => field.to_ascii_uppercase().replace('_', "-"),
        _ => return Err(syn::Error::new(rule.span(), "serde knows no such rule")),
    })
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}
