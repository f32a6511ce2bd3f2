// One triangle over the whole picture, behind everything.
uniform mat4 u_rays;          // from clip space to directions
out vec3 v_dir;

void main() {
    vec2 corner = vec2(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0);
    gl_Position = vec4(corner, 1.0, 1.0);
    v_dir = (u_rays * vec4(corner, 1.0, 1.0)).xyz;
}
