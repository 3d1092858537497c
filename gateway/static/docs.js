SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  tryItOutEnabled: true,
  displayRequestDuration: true,
  // The validator badge is a picture from another host.
  validatorUrl: null,
});
