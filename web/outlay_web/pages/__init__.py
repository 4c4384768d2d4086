"""The pages: HTML routes, thin. Each handler asks the analytics and hands figures and tables to a template.

Enters: requests of people.
Leaves: HTML.
May import: charts, http, services.
"""

from outlay_web.pages.routes import router

__all__ = ["router"]
