"""The web console: pages as typed view models, rendered on the server with Jinja2. It knows neither HTTP nor the platform."""
