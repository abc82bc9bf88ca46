//! Groups of countries that may be named in place of their codes.
//!
//! Continents follow the regions of the United Nations' M49 standard ("Standard country or area codes for statistical
//! use", UN Statistics Division), with America divided as people do: `NORTH-AMERICA` is M49's Northern America, Central
//! America and the Caribbean. M49 has no code for Taiwan, here in Asia, and none for Kosovo, here in Europe. `EU` are the 27
//! member states of the European Union, `EEA` (the European Economic Area) these and Iceland, Liechtenstein and Norway;
//! overseas territories with a code of their own, such as `GP` and `RE`, are in neither.

use super::{Country, CountrySet};

/// A group that is known by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name, in capitals.
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
    /// The codes of its countries, blanks between them, in their order.
    codes: &'static str,
}

impl Group {
    /// The group of this name.
    pub fn find(name: &str) -> Option<Self> {
        GROUPS.iter().copied().find(|group| group.name == name)
    }

    /// Its countries.
    pub fn countries(self) -> CountrySet {
        let codes = self.codes.split_ascii_whitespace();
        codes.filter_map(Country::from_code).collect()
    }
}

const fn group(name: &'static str, about: &'static str, codes: &'static str) -> Group {
    Group { name, about, codes }
}

/// The groups that are known by name; each country but `ZZ` is on one continent.
pub const GROUPS: [Group; 9] = [
    group(
        "EU",
        "European Union",
        "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK",
    ),
    group(
        "EEA",
        "European Economic Area",
        "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IS IT LI LT LU LV MT NL NO PL PT RO SE SI SK",
    ),
    group(
        "AFRICA",
        "continent",
        "AO BF BI BJ BW CD CF CG CI CM CV DJ DZ EG EH ER ET GA GH GM GN GQ GW IO KE KM LR LS LY MA MG ML MR MU MW MZ NA \
         NE NG RE RW SC SD SH SL SN SO SS ST SZ TD TF TG TN TZ UG YT ZA ZM ZW",
    ),
    group("ANTARCTICA", "continent", "AQ"),
    group(
        "ASIA",
        "continent",
        "AE AF AM AZ BD BH BN BT CN CY GE HK ID IL IN IQ IR JO JP KG KH KP KR KW KZ LA LB LK MM MN MO MV MY NP OM PH PK \
         PS QA SA SG SY TH TJ TL TM TR TW UZ VN YE",
    ),
    group(
        "EUROPE",
        "continent",
        "AD AL AT AX BA BE BG BY CH CZ DE DK EE ES FI FO FR GB GG GI GR HR HU IE IM IS IT JE LI LT LU LV MC MD ME MK MT \
         NL NO PL PT RO RS RU SE SI SJ SK SM UA VA XK",
    ),
    group(
        "NORTH-AMERICA",
        "continent, with Central America and the Caribbean",
        "AG AI AW BB BL BM BQ BS BZ CA CR CU CW DM DO GD GL GP GT HN HT JM KN KY LC MF MQ MS MX NI PA PM PR SV SX TC TT \
         US VC VG VI",
    ),
    group(
        "OCEANIA",
        "continent",
        "AS AU CC CK CX FJ FM GU HM KI MH MP NC NF NR NU NZ PF PG PN PW SB TK TO TV UM VU WF WS",
    ),
    group(
        "SOUTH-AMERICA",
        "continent",
        "AR BO BR BV CL CO EC FK GF GS GY PE PY SR UY VE",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_country_is_on_one_continent() {
        for country in Country::all().filter(|country| *country != Country::UNKNOWN) {
            let on = GROUPS.iter().filter(|group| {
                group.about.starts_with("continent") && group.countries().contains(country)
            });
            let on: Vec<_> = on.map(|group| group.name).collect();
            assert_eq!(on.len(), 1, "{country}: {on:?}");
        }
    }

    #[test]
    fn codes_are_sound_sorted_and_none_is_lost() {
        for group in GROUPS {
            let codes: Vec<_> = group.codes.split_ascii_whitespace().collect();
            assert!(codes.is_sorted_by(|a, b| a < b), "{}", group.name);
            let countries: Vec<_> = group.countries().iter().map(Country::code).collect();
            assert_eq!(countries, codes, "{}", group.name);
            assert!(Country::from_code(group.name).is_none());
        }
        let count = |name| Group::find(name).unwrap().countries().iter().count();
        assert_eq!((count("EU"), count("EEA")), (27, 30));
        assert!(Group::find("eu").is_none() && Group::find("DACH").is_none());
    }
}
