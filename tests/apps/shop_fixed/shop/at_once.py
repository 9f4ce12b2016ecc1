"""Calls that need nothing of each other, made at the same time by threads that are kept."""

import concurrent.futures

start = concurrent.futures.ThreadPoolExecutor(16).submit
