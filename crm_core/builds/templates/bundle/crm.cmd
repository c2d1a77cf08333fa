@echo off
rem Starts the CRM of this bundle.
"%~dp0.venv\Scripts\crm" --build "%~dp0crm.toml" %*
