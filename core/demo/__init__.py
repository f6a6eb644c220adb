"""A simulated history, so that every page has something to show before the first real job."""

from core.demo.build import DemoSummary, build_demo, fill_demo

__all__ = ["DemoSummary", "build_demo", "fill_demo"]
