//! An HTTP client around another one.

use aws_sdk_dynamodb::error::BoxError;
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::runtime_components::{RuntimeComponents, RuntimeComponentsBuilder};
use aws_smithy_types::config_bag::ConfigBag;

/// The client whose connectors are this one's, wrapped.
pub(crate) fn layered<C: HttpConnector + 'static>(
    inner: impl HttpClient + 'static,
    wrap: impl Fn(SharedHttpConnector) -> C + Send + Sync + 'static,
) -> SharedHttpClient {
    SharedHttpClient::new(Layer { inner: SharedHttpClient::new(inner), wrap })
}

struct Layer<W> {
    inner: SharedHttpClient,
    wrap: W,
}

impl<W, C> HttpClient for Layer<W>
where
    W: Fn(SharedHttpConnector) -> C + Send + Sync,
    C: HttpConnector + 'static,
{
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new((self.wrap)(self.inner.http_connector(settings, components)))
    }

    fn validate_base_client_config(
        &self,
        components: &RuntimeComponentsBuilder,
        bag: &ConfigBag,
    ) -> Result<(), BoxError> {
        HttpClient::validate_base_client_config(&self.inner, components, bag)
    }

    fn validate_final_config(&self, components: &RuntimeComponents, bag: &ConfigBag) -> Result<(), BoxError> {
        HttpClient::validate_final_config(&self.inner, components, bag)
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.inner.connector_metadata()
    }
}

impl<W> std::fmt::Debug for Layer<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Layer").field("inner", &self.inner).finish_non_exhaustive()
    }
}
