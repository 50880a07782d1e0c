// A file of its own, because the page's policy of content runs no scripts that stand in it.
window.onload = function () {
  window.ui = SwaggerUIBundle(Object.assign({
    url: "../openapi.json",
    dom_id: "#swagger-ui",
    validatorUrl: null,
    queryConfigEnabled: false,
    displayOperationId: true,
    presets: [SwaggerUIBundle.presets.apis]
  }, JSON.parse(document.getElementById("swagger-ui").dataset.options)));
};
