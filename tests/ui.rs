//! What the compiler says when the crate is used wrongly. `TRYBUILD=overwrite cargo test --test ui` renews the texts.

#[test]
fn wrong_use_is_explained_where_it_stands() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
