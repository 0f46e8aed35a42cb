//! The batch file that applies everything and takes it back. One file for COMMAND.COM of Windows 98
//! and for cmd.exe: no blocks, no `else`, no `2>`, labels told apart by eight characters, lines
//! below 128.

use super::{CA_CERTIFICATE, Facts, hosts::MARK, registry};

/// Its name.
pub(super) const FILE: &str = "setup.bat";

/// The file.
pub(super) fn file(facts: &Facts) -> String {
    let thumbprint = facts.ca.sha1.replace(':', "");
    TEMPLATE
        .trim_start()
        .replace("{host}", &facts.host)
        .replace("{mark}", MARK)
        .replace("{crt}", CA_CERTIFICATE)
        .replace("{reg}", registry::FILE)
        .replace("{ca}", &facts.ca.name)
        .replace("{thumbprint}", &thumbprint)
}

/// With names in braces for what differs.
///
/// The new block goes before all other lines, since Windows takes the first that names a host: what
/// somebody wrote for another server stays, and holds again after `undo`.
const TEMPLATE: &str = r#"
@echo off
rem Points MSN Messenger on this computer, Windows 98 to 11, at
rem   {host}
rem   setup.bat        does it; may be run again at any time
rem   setup.bat undo   takes it back
if "%1"=="" goto start
if "%1"=="undo" goto start
if "%1"=="UNDO" goto start
echo Usage: setup.bat or setup.bat undo
goto end

:start
set ETC=%windir%
if not "%OS%"=="Windows_NT" goto place
cd /d "%~dp0"
set ETC=%SystemRoot%\system32\drivers\etc
:place
if not exist hosts.txt goto nofiles
if not exist {crt} goto nofiles
if not exist {reg} goto nofiles
rem Whoever may write here is an administrator, or this is Windows 98.
echo test> %ETC%\msnd.tmp
if not exist %ETC%\msnd.tmp goto noadmin
del %ETC%\msnd.tmp

echo 1. The hosts file, %ETC%\hosts
if not exist %ETC%\hosts goto fresh
attrib -r %ETC%\hosts
if not exist %ETC%\hosts.msn copy %ETC%\hosts %ETC%\hosts.msn > nul
find /v "{mark}" < %ETC%\hosts > %ETC%\msnd.tmp
if errorlevel 2 goto failed
if not exist %ETC%\msnd.tmp goto failed
if not "%1"=="" goto unblock
copy /y /b hosts.txt+%ETC%\msnd.tmp %ETC%\hosts > nul
if errorlevel 1 goto failed
del %ETC%\msnd.tmp
echo    Done. The file as it was before: hosts.msn in the same folder.
goto trust
:fresh
if not "%1"=="" goto distrust
copy /y /b hosts.txt %ETC%\hosts > nul
if errorlevel 1 goto failed
echo    Done. There was none before.
goto trust
:unblock
type %ETC%\msnd.tmp > %ETC%\hosts
del %ETC%\msnd.tmp
if exist %ETC%\hosts.msn del %ETC%\hosts.msn
echo    Our lines are out of it; all others are as they were.
goto distrust

:trust
echo 2. The certificate authority, {ca}
if not "%OS%"=="Windows_NT" goto click98
if not exist %SystemRoot%\system32\certutil.exe goto clicknt
certutil -addstore -f Root {crt}
if errorlevel 1 goto clicknt
goto forget
:clicknt
start "" {crt}
goto clicked
:click98
start {crt}
:clicked
echo    This Windows cannot do that from a batch file. In the window that opens:
echo      Install Certificate, Next, Place all certificates in the following store,
echo      Browse, Trusted Root Certification Authorities, OK, Next, Finish, Yes.
echo    The thumbprint (sha1) that Windows shows must be this one:
echo      {thumbprint}
pause
:forget
echo 3. The address of the last server, which Messenger would try first
regedit /s {reg}
echo    Forgotten.
echo.
echo Everything is done. Now start MSN Messenger. On Windows 98, restart the computer first.
goto end

:distrust
echo 2. The certificate authority, {ca}
if not "%OS%"=="Windows_NT" goto byhand
if not exist %SystemRoot%\system32\certutil.exe goto byhand
certutil -delstore Root {thumbprint}
if errorlevel 1 goto byhand
goto forgotten
:byhand
echo    Please remove it yourself: Control Panel, Internet Options, Content, Certificates,
echo    Trusted Root Certification Authorities, the line with the name above, Remove.
pause
:forgotten
echo 3. The address of the last server
regedit /s {reg}
echo    Forgotten. Messenger finds a new one when it signs in the next time.
echo.
echo Everything is taken back.
goto end

:nofiles
echo hosts.txt, {crt} and {reg} must be in the folder
echo of this file. Save all four in one folder and start setup.bat there.
goto end
:noadmin
echo This needs an administrator. Windows Vista and later: right-click setup.bat and choose
echo Run as administrator. Windows 2000 and XP: log on as an administrator.
goto end
:failed
if exist %ETC%\msnd.tmp del %ETC%\msnd.tmp
echo The hosts file could not be changed. A program that guards it may be in the way.
echo You can put the lines of hosts.txt into %ETC%\hosts with Notepad.
:end
set ETC=
pause
"#;
