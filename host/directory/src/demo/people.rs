//! Invented people: first and last names that are common in a country, drawn apart.

use rand::Rng as _;
use rand::seq::IndexedRandom as _;
use rand_chacha::ChaCha8Rng;

/// What people of a country are called, and how they are reached.
pub struct Nation {
    country: &'static str,
    pub locale: &'static str,
    title: &'static str,
    women: &'static str,
    men: &'static str,
    /// Family names; where they differ (Polish), a slash parts the woman's from the man's.
    families: &'static str,
    /// How many family names a person has.
    family_names: usize,
    /// Numbers that the country's regulator keeps for films and books; `#` stands for a digit.
    phone: Option<&'static str>,
}

/// The country's people; for one that is not listed, those of the first.
pub fn nation(country: &str) -> &'static Nation {
    let listed = NATIONS.iter().find(|nation| nation.country == country);
    listed.unwrap_or(&NATIONS[0])
}

impl Nation {
    pub fn name(&self, chance: &mut ChaCha8Rng) -> String {
        let woman = chance.random_bool(0.5);
        let first = word(if woman { self.women } else { self.men }, chance);
        let families: Vec<&str> = (0..self.family_names)
            .map(|_| {
                let family = word(self.families, chance);
                match family.split_once('/') {
                    Some((hers, _)) if woman => hers,
                    Some((_, his)) => his,
                    None => family,
                }
            })
            .collect();
        let title = if chance.random_bool(0.8) {
            self.title
        } else {
            ""
        };
        format!("{title} {first} {}", families.join(" "))
            .trim_start()
            .to_owned()
    }

    pub fn phone(&self, chance: &mut ChaCha8Rng) -> Option<String> {
        let digit = |letter| match letter {
            '#' => char::from(b'0' + chance.random_range(0..10_u8)),
            other => other,
        };
        self.phone
            .map(|pattern| pattern.chars().map(digit).collect())
    }
}

/// Besides their own, some speak others, each once and in order.
pub fn languages(own: &'static str, chance: &mut ChaCha8Rng) -> Vec<&'static str> {
    let own = own.split('-').next().unwrap_or(own);
    let others = OTHER_LANGUAGES.iter().filter(|other| **other != own);
    let mut spoken: Vec<_> = others
        .filter(|_| chance.random_ratio(1, 6))
        .copied()
        .collect();
    spoken.push(own);
    spoken.sort_unstable();
    spoken
}

const OTHER_LANGUAGES: [&str; 8] = ["ar", "de", "en", "es", "fr", "pl", "tr", "uk"];

fn word(list: &'static str, chance: &mut ChaCha8Rng) -> &'static str {
    let words: Vec<&str> = list.split_whitespace().collect();
    words.choose(chance).expect("no list is empty")
}

const NATIONS: [Nation; 9] = [
    Nation {
        country: "GB",
        locale: "en",
        title: "Dr",
        women: "Amelia Olivia Priya Grace Hannah Charlotte Ruth Fatima Eleanor Megan Zara Lucy \
                Imogen Beth Rosalind Niamh Aisha Joanna Catherine Harriet",
        men: "Oliver George Arjun Thomas James Callum Edward Imran Henry Samuel Rhys David \
              Alistair Benjamin Owen Jack Tariq Martin Hugh Daniel",
        families: "Ashworth Bexley Carrow Dunmore Ellery Fairburn Grantham Hargreave Iveson \
                   Jessop Kershaw Langford Merrick Northcott Okafor Patel Quayle Radcliffe \
                   Sheridan Thornley Underhill Verity Whitlock Yardley Chaudhry Begum Penhale \
                   Llewellyn Mackay Rowntree",
        family_names: 1,
        phone: Some("+442079460###"),
    },
    Nation {
        country: "DE",
        locale: "de",
        title: "Dr. med.",
        women: "Anna Katharina Lena Sophie Miriam Heike Sabine Elif Johanna Franziska Ute Claudia \
                Annika Leyla Marlene Birgit Theresa Nora Greta Vera",
        men: "Jonas Matthias Felix Stefan Andreas Emre Lukas Tobias Jürgen Karl Moritz Sebastian \
              Deniz Philipp Uwe Anton Konrad Ralf Simon Henning",
        families: "Ahrens Bachmeier Clasen Dornfeld Eichstädt Feldkamp Grünwald Hollerbach Imhoff \
                   Jansen Kettler Lindemann Marquardt Niehaus Oberländer Petersen Quandt \
                   Rosenkranz Steinbrück Thalheim Uhlig Vogelsang Weidenbach Yılmaz Zellmer \
                   Brandhorst Kowalke Mühlbauer Demir Sonnleitner",
        family_names: 1,
        phone: Some("+493023125###"),
    },
    Nation {
        country: "FR",
        locale: "fr",
        title: "Dr",
        women: "Camille Élodie Manon Juliette Amina Claire Sandrine Léa Margaux Nadia Hélène \
                Inès Aurélie Solène Florence Yasmine Agathe Clémence Odile Maëlle",
        men: "Antoine Baptiste Clément Julien Karim Mathieu Nicolas Olivier Pascal Quentin Rémi \
              Sylvain Thibault Vincent Mehdi Étienne Gaël Hugo Lucien Alexis",
        families: "Aubertin Beaumarchais Chastel Delacourt Escoffier Fontanel Garrigue Hautbois \
                   Jaubert Kerouan Lachaume Marchetti Nivelle Ormesson Pelletan Quéméner \
                   Rochebrune Sauvageot Tavernay Urbain Vasseur Benali Guérinot Lemoine-Roy \
                   Montclar Haddad Prigent Villeneuve Bellec Traoré",
        family_names: 1,
        phone: Some("+3319900####"),
    },
    Nation {
        country: "PL",
        locale: "pl",
        title: "lek.",
        women: "Agnieszka Barbara Ewa Joanna Katarzyna Magdalena Małgorzata Natalia Zofia Hanna \
                Julia Iwona Renata Oliwia Dorota",
        men: "Adam Bartosz Grzegorz Jakub Krzysztof Marcin Michał Paweł Piotr Tomasz Wojciech \
              Rafał Stanisław Łukasz Andrzej",
        families: "Zawadzka/Zawadzki Lipińska/Lipiński Borkowska/Borkowski Sadowska/Sadowski \
                   Wierzbicka/Wierzbicki Chmielewska/Chmielewski Górecka/Górecki Stępień Wróbel \
                   Pawlak Jasińska/Jasiński Kubiak Mazur Kaczor Rudnicka/Rudnicki Sobczak Głowacka/Głowacki \
                   Urban Zięba Czajka Brzezińska/Brzeziński Kalinowska/Kalinowski Nowicka/Nowicki Śliwa",
        family_names: 1,
        phone: None,
    },
    Nation {
        country: "IT",
        locale: "it",
        title: "Dott.",
        women: "Alessia Bianca Chiara Elena Federica Giulia Ilaria Lucia Martina Paola Serena \
                Valentina Beatrice Ornella Silvia",
        men: "Alessandro Davide Enrico Fabio Giacomo Lorenzo Marco Nicola Pietro Riccardo Stefano \
              Tommaso Umberto Vittorio Matteo",
        families: "Albertazzi Bellandi Castelnuovo Donatelli Esposito Fioravanti Galvagni Lombardo \
                   Marchesini Nardelli Orsatti Pellegrino Quintavalle Rinaldi Santoro Tedeschi \
                   Urbani Valsecchi Zanetti Morandi Ferrante Colonna Grimaldi Sartori",
        family_names: 1,
        phone: None,
    },
    Nation {
        country: "ES",
        locale: "es",
        title: "Dr.",
        women: "Alba Beatriz Carmen Elena Inés Lucía Marta Nuria Paula Rocío Sara Teresa Ximena \
                Itziar Montserrat",
        men: "Álvaro Borja Diego Eduardo Fernando Gonzalo Íñigo Javier Manuel Óscar Pablo Rafael \
              Sergio Víctor Jordi",
        families: "Aranda Bermejo Cifuentes Domínguez Echevarría Figueroa Gallardo Herrero Ibáñez \
                   Jurado Lozano Montero Navarro Olmedo Pizarro Quesada Rivas Salcedo Tejada \
                   Urrutia Valverde Zamora Ferrer Puig",
        family_names: 2,
        phone: None,
    },
    Nation {
        country: "PT",
        locale: "pt",
        title: "Dr.",
        women: "Ana Beatriz Catarina Filipa Inês Joana Leonor Mafalda Rita Sofia Teresa Marta",
        men: "André Bernardo Diogo Duarte Francisco Gonçalo João Miguel Nuno Pedro Rui Tiago",
        families: "Abreu Barbosa Cardoso Damasceno Esteves Figueiredo Guimarães Henriques Lacerda \
                   Magalhães Nogueira Oliveira Pacheco Queirós Ramalho Sampaio Teixeira Valadares",
        family_names: 2,
        phone: None,
    },
    Nation {
        country: "IE",
        locale: "en",
        title: "Dr",
        women: "Aoife Bríd Ciara Deirdre Eimear Fionnuala Gráinne Máire Niamh Orla Róisín Saoirse",
        men: "Aidan Brendan Cathal Colm Declan Eoin Fergus Liam Niall Oisín Pádraig Ronan",
        families: "Brannigan Cosgrave Delahunt Egan Fallon Geoghegan Hanrahan Keaveney Lenihan \
                   Mulcahy Nagle O'Dowd Phelan Rafferty Scanlan Tierney Whelan Costigan",
        family_names: 1,
        phone: Some("+35320910####"),
    },
    Nation {
        country: "NL",
        locale: "nl",
        title: "dr.",
        women: "Anouk Eva Fleur Hanneke Ilse Jolijn Karin Lotte Marijke Noor Sanne Willemijn",
        men: "Bas Daan Floris Gijs Hugo Jeroen Koen Maarten Niels Pieter Ruben Thijs",
        families: "Aalbers Brouwer Cuypers Dijkstra Elzinga Fokkema Groeneveld Hoekstra Kuipers \
                   Leenders Mulder Nijhuis Oosterhof Postma Roelofs Schippers Terpstra Veldkamp",
        family_names: 1,
        phone: None,
    },
];

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn names_and_numbers_are_complete() {
        let mut chance = ChaCha8Rng::seed_from_u64(1);
        for nation in &NATIONS {
            for _ in 0..200 {
                let name = nation.name(&mut chance);
                assert!(!name.contains('/'), "{name}");
                assert!(name.split(' ').count() > nation.family_names, "{name}");
                let phone = nation.phone(&mut chance);
                assert!(phone.is_none_or(|phone| phone[1..].bytes().all(|b| b.is_ascii_digit())));
            }
        }
    }
}
