Redoc.init("openapi.json", { expandResponses: "200", hideDownloadButtons: false }, document.getElementById("redoc"));
