"""The aiohttp client: API calls, and the second sender beside the lean one."""
