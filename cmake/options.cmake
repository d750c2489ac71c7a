# Compiler options that all targets share.
include(CheckPIESupported)
check_pie_supported(LANGUAGES C)
if(SP_LTO)
  include(CheckIPOSupported)
  check_ipo_supported(LANGUAGES C)
  set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
endif()
add_library(sp_options INTERFACE)
target_compile_definitions(sp_options INTERFACE _GNU_SOURCE SP_VERSION="${PROJECT_VERSION}")
target_compile_options(sp_options INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2
  -Wno-format-nonliteral
  -Wundef -Wpointer-arith -Wcast-align -fno-common)
if(SP_WERROR)
  target_compile_options(sp_options INTERFACE -Werror)
endif()
if(SP_SANITIZE)
  target_compile_options(sp_options INTERFACE -fsanitize=${SP_SANITIZE}
    -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(sp_options INTERFACE -fsanitize=${SP_SANITIZE})
else()
  # Some distributions define _FORTIFY_SOURCE themselves.
  target_compile_options(sp_options INTERFACE -fstack-protector-strong
    $<$<CONFIG:Release>:-U_FORTIFY_SOURCE> $<$<CONFIG:Release>:-D_FORTIFY_SOURCE=2>)
  target_link_options(sp_options INTERFACE -Wl,-z,relro -Wl,-z,now)
endif()
if(SP_FUZZ)
  target_compile_options(sp_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
