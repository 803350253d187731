//! A certificate for the sink, and a bundle in which the functions find it among the system's own.

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

/// Where systems keep the certificates they trust; the second is Amazon Linux, which Lambda runs on.
const SYSTEM_BUNDLES: [&str; 2] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

/// What the sink shows, and what its callers must trust.
pub struct Certificate {
    /// For the sink's listener.
    pub config: Arc<ServerConfig>,
    /// The issuer alone, in PEM.
    pub issuer: PathBuf,
    /// The system's issuers and ours, in PEM: as many as a function has to read on Lambda.
    pub bundle: PathBuf,
    _folder: TempDir,
}

impl Certificate {
    /// A certificate for `localhost`, made for this run.
    ///
    /// # Errors
    /// If it cannot be made or written down.
    pub fn new() -> Result<Self> {
        let mut params = CertificateParams::new(vec![])?;
        // Of the same name as what it issues, it would look like that, self-signed.
        params.distinguished_name.push(DnType::CommonName, "Rollcall's benchmark");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer_key = KeyPair::generate()?;
        let issuer_certificate = params.self_signed(&issuer_key)?;
        let issuer = Issuer::new(params, issuer_key);
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(vec!["localhost".to_owned()])?.signed_by(&key, &issuer)?;

        let folder = TempDir::with_prefix("rollcall-bench-").context("no place for the certificate")?;
        let issuer_path = folder.path().join("issuer.pem");
        fs::write(&issuer_path, issuer_certificate.pem())?;
        let system = SYSTEM_BUNDLES.iter().find(|path| Path::new(path).exists());
        let system = system.map(fs::read_to_string).transpose()?.unwrap_or_default();
        let bundle = folder.path().join("bundle.pem");
        fs::write(&bundle, format!("{system}\n{}", issuer_certificate.pem()))?;

        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)?;
        Ok(Self { config: Arc::new(config), issuer: issuer_path, bundle, _folder: folder })
    }
}
