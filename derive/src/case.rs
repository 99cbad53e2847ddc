//! serde's `rename_all` rules, for the names of fields and variants. Like serde's, they know the case of ASCII letters only.

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

/// Renames a variant, which is in Pascal case, by a rule.
pub(crate) fn rename_variant(rule: &LitStr, variant: &str) -> syn::Result<String> {
    let snake = || {
        let mut snake = String::new();
        for (position, letter) in variant.char_indices() {
            if position > 0 && letter.is_uppercase() {
                snake.push('_');
            }
            snake.push(letter.to_ascii_lowercase());
        }
        snake
    };
    Ok(match rule.value().as_str() {
        "lowercase" => variant.to_ascii_lowercase(),
        "UPPERCASE" => variant.to_ascii_uppercase(),
        "PascalCase" => variant.to_owned(),
        "camelCase" => {
            let mut camel = variant.to_owned();
            if let Some(first) = camel.get_mut(..1) {
                first.make_ascii_lowercase();
            }
            camel
        }
        "snake_case" => snake(),
        "SCREAMING_SNAKE_CASE" => snake().to_ascii_uppercase(),
        "kebab-case" => snake().replace('_', "-"),
        "SCREAMING-KEBAB-CASE" => snake().to_ascii_uppercase().replace('_', "-"),
        _ => return Err(syn::Error::new(rule.span(), "serde knows no such rule")),
    })
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}
