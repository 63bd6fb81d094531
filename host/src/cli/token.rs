//! `praxis token`: a token of the development issuer, on standard output.

use std::path::PathBuf;

use anyhow::ensure;
use clap::Args;

use crate::triggers::http::auth::Claims;
use crate::triggers::http::issuer::Issuer;

/// The folder of the issuer's key, under the data folder.
pub const ISSUER_FOLDER: &str = "issuer";

#[derive(Debug, Args)]
pub struct Token {
    /// Who: the token's `sub`.
    #[arg(long)]
    sub: String,
    /// What they are, as the application names it; may be given more than once.
    #[arg(long = "role", required = true)]
    roles: Vec<String>,
    /// The organisation that they work for.
    #[arg(long)]
    tenant: Option<String>,
    #[arg(long)]
    name: Option<String>,
    #[arg(long)]
    email: Option<String>,
    /// An E.164 number.
    #[arg(long)]
    phone: Option<String>,
    /// A BCP 47 language tag.
    #[arg(long)]
    locale: Option<String>,
    /// The data folder of the host that shall accept the token.
    #[arg(long, env = "PRAXIS_DATA_DIR", default_value = ".praxis")]
    data_dir: PathBuf,
}

impl Token {
    pub fn run(self) -> anyhow::Result<()> {
        let folder = self.data_dir.join(ISSUER_FOLDER);
        ensure!(
            Issuer::is_there(&folder),
            "no host has issued tokens from {}: start it first, or name its --data-dir",
            folder.display()
        );
        let issuer = Issuer::open(&folder)?;
        let claims = Claims {
            sub: self.sub,
            roles: self.roles,
            tenant: self.tenant,
            name: self.name,
            email: self.email,
            phone_number: self.phone,
            locale: self.locale,
            iat: None,
        };
        println!("{}", issuer.mint(&claims)?);
        Ok(())
    }
}
