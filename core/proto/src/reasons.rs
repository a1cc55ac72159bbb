//! One list for an enum of reasons: what each is called, and what it says to people.

/// An enum whose variants each have a name, for counters and for machines, and a sentence, their
/// doc comment, for people.
///
/// `ALL` has every variant in the order of their numbers.
#[macro_export]
macro_rules! reasons {
    (
        $(#[$about:meta])*
        $reasons:ident:
        $($(#[doc = $text:literal])+ $variant:ident => $name:literal,)+
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum $reasons {
            $($(#[doc = $text])+ $variant,)+
        }

        impl $reasons {
            /// Every one, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Its name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// The same for people.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!($($text,)+).trim_ascii(),)+
                }
            }
        }
    };
}
