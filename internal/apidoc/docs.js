"use strict";

// No validatorUrl: the default sends the document's address to a server on the
// Internet. queryConfigEnabled would let a link replace the document by another.
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#page",
  deepLinking: true,
  validatorUrl: null,
  queryConfigEnabled: false,
  supportedSubmitMethods: ["get", "head", "post", "put", "patch", "delete", "options"],
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  syntaxHighlight: { activated: true, theme: "agate" },
});
