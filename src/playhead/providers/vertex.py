"""Google Vertex AI: Gemini and Claude. https://cloud.google.com/vertex-ai/generative-ai/docs

Requests are signed with application default credentials (`gcloud auth application-default login`, or a service
account that `GOOGLE_APPLICATION_CREDENTIALS` names), which need `pip install playhead[google]`.
"""

from __future__ import annotations

from ..wire import Dialect
from ._provider import Derived, Provider, Route
from .anthropic import PROVIDER as ANTHROPIC
from .google import PROVIDER as GOOGLE

_PROJECT = "https://{host}/%s/projects/{project}/locations/{location}"

CLAUDE = Route(
    models=r"^claude",
    wire="anthropic",
    issuer="anthropic",
    base_url=_PROJECT % "v1",
    dialect=Dialect(
        path="/publishers/anthropic/models/{model}:rawPredict",
        stream_path="/publishers/anthropic/models/{model}:streamRawPredict",
        body={"anthropic_version": "vertex-2023-10-16"},
        without=("model",),
        output=ANTHROPIC.dialect.output,
        option_fields=ANTHROPIC.dialect.option_fields,
        option_headers=ANTHROPIC.dialect.option_headers,
    ),
)

PROVIDER = Provider(
    name="vertex",
    base_url=_PROJECT % "v1beta1" + "/publishers/google",
    key_env=("GOOGLE_OAUTH_ACCESS_TOKEN", "CLOUDSDK_AUTH_ACCESS_TOKEN"),
    key_required=False,
    public=True,
    wire="gemini",
    auth="google",
    variables={
        "project": ("GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT", "ANTHROPIC_VERTEX_PROJECT_ID"),
        "location": ("GOOGLE_CLOUD_LOCATION", "GOOGLE_CLOUD_REGION", "CLOUD_ML_REGION", "=global"),
    },
    derived={
        "host": Derived(
            of="location",
            values={
                "global": "aiplatform.googleapis.com",
                "us": "aiplatform.us.rep.googleapis.com",
                "eu": "aiplatform.eu.rep.googleapis.com",
            },
            otherwise="{}-aiplatform.googleapis.com",
        )
    },
    hosts=("aiplatform.googleapis.com", "*-aiplatform.googleapis.com", "aiplatform.*.rep.googleapis.com"),
    routes=(CLAUDE,),
    models_url=(
        "https://{host}/v1beta1/publishers/google/models?pageSize=200",
        "https://{host}/v1beta1/publishers/anthropic/models?pageSize=200",
    ),
    dialect=GOOGLE.dialect,
)
