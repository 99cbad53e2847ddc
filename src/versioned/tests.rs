use proptest::prelude::*;

use super::Etag;
use crate::arbitrary::config;
use crate::error::ErrorKind;
use crate::protocol::guard::Birth;
use crate::protocol::log::WriteId;

fn etag() -> impl Strategy<Value = Etag> {
    let id = (0..0xFF_u128 << 120).prop_map(|id| Birth::Known(WriteId(id)));
    let birth = prop_oneof![Just(Birth::Any), Just(Birth::Foreign), id];
    (any::<u64>(), birth).prop_map(|(version, birth)| Etag::new(version, birth))
}

proptest! {
    #![proptest_config(config(500))]

    #[test]
    fn an_etag_survives_its_text(etag in etag()) {
        let text = etag.to_string();
        prop_assert_eq!(text.parse::<Etag>().expect("is an etag"), etag);
        let json = serde_json::to_string(&etag).expect("serialises");
        prop_assert_eq!(&json, &format!("\"{text}\""));
        prop_assert_eq!(serde_json::from_str::<Etag>(&json).expect("is an etag"), etag);
        prop_assert_eq!(format!("\"{text}\"").parse::<Etag>().expect("is HTTP's form of it"), etag);
        let weak = format!("W/\"{text}\"").parse::<Etag>().expect_err("is a weak one");
        prop_assert!(weak.is_invalid() && weak.to_string().contains("weak"), "{}", weak);
        prop_assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'), "fits a header");
    }

    #[test]
    fn a_birth_of_a_later_format_is_refused(version in any::<u64>(), id in (0xFF_u128 << 120)..=u128::MAX) {
        let error = Etag::new(version, Birth::Known(WriteId(id))).to_string().parse::<Etag>().expect_err("is refused");
        prop_assert!(error.is_invalid() && error.to_string().contains("later format"), "{}", error);
    }

    #[test]
    fn an_etag_has_one_text(text in "[0+]?[0-9]{0,20}(-[0-9a-fA-F-]{0,36}|-unmanaged|-)?") {
        if let Ok(etag) = text.parse::<Etag>() {
            prop_assert_eq!(etag.to_string(), text);
        }
    }

    #[test]
    fn other_text_is_refused(text in "\\PC{0,40}") {
        match text.parse::<Etag>() {
            Ok(etag) => prop_assert!([format!("\"{etag}\""), etag.to_string()].contains(&text), "{}", text),
            Err(error) => prop_assert_eq!(error.kind(), ErrorKind::Invalid),
        }
    }
}
