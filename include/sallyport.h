/* sallyport.h: the whole public API. */
#ifndef SALLYPORT_H
#define SALLYPORT_H

#include <sallyport/agent.h>
#include <sallyport/auth.h>
#include <sallyport/direct.h>
#include <sallyport/engine.h>
#include <sallyport/fs.h>
#include <sallyport/fs_posix.h>
#include <sallyport/key.h>
#include <sallyport/listen.h>
#include <sallyport/process.h>
#include <sallyport/protocol.h>
#include <sallyport/scp.h>
#include <sallyport/server.h>
#include <sallyport/session.h>
#include <sallyport/sftp.h>
#include <sallyport/sign.h>
#include <sallyport/stream.h>
#include <sallyport/types.h>

#endif
