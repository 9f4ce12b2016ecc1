"""The shop after its findings were followed: these modules instead of their namesakes, the others as they are."""

import pkgutil

__path__ = pkgutil.extend_path(__path__, __name__)
